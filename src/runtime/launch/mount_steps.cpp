// The child's steps that mount: every target is resolved beneath the root's descriptor.

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/text.h"
#include "platform/absent.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/path_access.h"
#include "platform/process.h"
#include "platform/user_namespace.h"
#include "platform/xattr.h"
#include "runtime/launch/child.h"
#include "runtime/launch/copy_up.h"
#include "runtime/launch/id_maps.h"
#include "runtime/launch/launch.h"

namespace knarr::runtime {

namespace {

/// Where procfs and sysfs go may not be reached through a link: the image could redirect what the
/// runtime and the program believe to read and write there (CVE-2019-19921, CVE-2023-28642).
Result<sys::Fd> open_kernel_fs_target(const sys::Fd& root, const std::string& target) {
    KNARR_TRY(sys::make_dirs_in_root(root, target, 0755));
    std::string below = target;
    below.erase(0, below.find_first_not_of('/'));
    Result<sys::Fd> fd =
        sys::open_how(root,
                      below.empty() ? "." : below,
                      O_PATH | O_DIRECTORY,
                      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    if (!fd && fd.error().sys_errno == ELOOP) {
        return fail(
            Error{.code = Errc::denied,
                  // Ends in runc's words.
                  .message = fmt::format("{} is or passes a symbolic link in the image: procfs and "
                                         "sysfs must be mounted on ordinary directory",
                                         printable(target)),
                  .hint = "make it a directory in the root file system"});
    }
    return fd;
}

Result<> set_propagation(const sys::Fd& mount, unsigned long flags) {
    if (flags == 0) {
        return {};
    }
    return sys::set_mount_attributes(mount,
                                     {.propagation = flags & ~static_cast<unsigned long>(MS_REC),
                                      .recursive = (flags & MS_REC) != 0});
}

/// The options of an overlay as descriptors' paths: short, and no host path shows inside.
Result<sys::Fd> make_overlay(const bundle::OverlayRoot& overlay, std::vector<sys::Fd>& keep) {
    std::vector<sys::FsOption> options;
    std::string lower_list;
    const auto add = [&](const char* key, const std::string& path) -> Result<> {
        keep.push_back(KNARR_TRY(sys::open_path(path, O_PATH | O_DIRECTORY)));
        options.push_back({.key = key, .value = sys::fd_path(keep.back())});
        return {};
    };
    for (const std::string& lower : overlay.lowers) {
        KNARR_TRY(add("lowerdir+", lower));
        lower_list += (lower_list.empty() ? "" : ":") + options.back().value;
    }
    if (!overlay.upper.empty()) {
        KNARR_TRY(add("upperdir", overlay.upper));
        KNARR_TRY(add("workdir", overlay.work));
        if (overlay.discard) {
            options.push_back({.key = "volatile", .value = {}, .is_flag = true});
        }
    }
    if (sys::has_user_overlays()) {
        options.push_back({.key = "userxattr", .value = {}, .is_flag = true});
    }
    Result<sys::Fd> made = sys::make_filesystem("overlay", "overlay", options, 0);
    if (made || (made.error().sys_errno != EINVAL && made.error().sys_errno != ENOSYS)) {
        return made;
    }
    // Before Linux 6.8 there is no "lowerdir+": one colon-separated text.
    std::erase_if(options, [](const sys::FsOption& o) { return o.key == "lowerdir+"; });
    options.insert(options.begin(), {.key = "lowerdir", .value = lower_list});
    Result<sys::Fd> classic = sys::make_filesystem("overlay", "overlay", options, 0);
    return classic ? std::move(classic) : std::move(made);
}

const std::string& place_of(const bundle::RootFs& rootfs) {
    const auto* dir = std::get_if<bundle::DirRoot>(&rootfs);
    return dir != nullptr ? dir->path : std::get<bundle::OverlayRoot>(rootfs).merged;
}

/// Where the root is attached: at its place or, where the root of the container's user namespace
/// may not get there, on "/", which serves the pivot as well. A root that the parent has opened is
/// reached in no other way.
Result<sys::Fd> open_root_target(const std::string& place, bool prepared) {
    Result<sys::Fd> target = sys::open_path(place, O_PATH | O_DIRECTORY);
    if (!target && target.error().sys_errno == EACCES && prepared) {
        return sys::open_path("/", O_PATH | O_DIRECTORY);
    }
    return sys::explained(std::move(target), place);
}

/// What makes a new file system be refused, as far as the errno tells.
Error advise_new_fs(Error error, const std::string& fstype) {
    const bool kernel_fs = fstype == "proc" || fstype == "sysfs";
    switch (error.sys_errno) {
        case EPERM:
            return !kernel_fs ? std::move(error)
                   : fstype == "proc"
                       ? std::move(error).advise(
                             "in a user namespace the kernel mounts a new procfs only with a pid "
                             "namespace of its own, and only where the host's /proc is not covered "
                             "in part (by a container around knarr)")
                       : std::move(error).advise(
                             "in a user namespace the kernel mounts a new sysfs only with a "
                             "network "
                             "namespace of its own: bind /sys of the host instead");
        case ENODEV:
            return std::move(error).advise(
                "correct the type of the mount, or load the module that has it; /proc/filesystems "
                "lists what the kernel knows");
        case EINVAL:
            return std::move(error).advise(
                "correct the options of the mount: the kernel passes on what is no common option "
                "to the file system, which does not know this one");
        default:
            return error;
    }
}

/// What keeps the place of a mount from being made.
Error advise_target(Error error, const std::string& target) {
    switch (error.sys_errno) {
        case EROFS:
            return std::move(error).advise(
                fmt::format("make {} before in the image or the volume, or mount what is below it "
                            "writable",
                            printable(target)));
        case ENOTDIR:
            return std::move(error).advise(
                "a file is in the way: mount a directory on a directory and a file on a file");
        default:
            return error;
    }
}

Result<sys::Fd> open_target(const Child& child, const std::string& target, mode_t mode) {
    Result<sys::Fd> made = sys::make_dirs_in_root(child.root, target, mode);
    return made ? std::move(made) : fail(advise_target(std::move(made).error(), target));
}

Result<sys::Fd> open_target_file(const Child& child, const std::string& target) {
    Result<sys::Fd> made = sys::make_file_in_root(child.root, target, 0644);
    return made ? std::move(made) : fail(advise_target(std::move(made).error(), target));
}

/// The step that every plan with a mount namespace has.
const step::Propagate* propagation_of(const LaunchPlan& plan) {
    for (const Step& one : plan.steps) {
        if (const auto* found = std::get_if<step::Propagate>(&one.operation)) {
            return found;
        }
    }
    return nullptr;
}

}  // namespace

Result<sys::Fd> open_root_source(const bundle::RootFs& rootfs) {
    if (const auto* dir = std::get_if<bundle::DirRoot>(&rootfs)) {
        return sys::explained(sys::clone_mount_at(dir->path, true), dir->path);
    }
    std::vector<sys::Fd> keep;
    return make_overlay(std::get<bundle::OverlayRoot>(rootfs), keep);
}

Result<> mount_root(Child& child, const step::MountRoot& step, const sys::Fd* prepared) {
    const std::string& place = place_of(step.rootfs);
    const step::Propagate* propagate = propagation_of(child.plan);
    if (propagate == nullptr) {
        // No mount namespace of its own: a mount would be the host's, and would stay.
        child.root = KNARR_TRY(sys::explained(sys::open_path(place, O_PATH | O_DIRECTORY), place));
        return {};
    }
    if ((propagate->flags & MS_SHARED) != 0) {
        // Below a shared mount the root would appear on the host, and pivot_root refuses.
        KNARR_TRY(sys::make_parent_private(place));
    }
    sys::Fd own;
    if (prepared == nullptr) {
        own = KNARR_TRY(open_root_source(step.rootfs));
    }
    const sys::Fd& mount = prepared != nullptr ? *prepared : own;
    const sys::Fd target = KNARR_TRY(open_root_target(place, prepared != nullptr));
    KNARR_TRY(sys::attach_mount(mount, target));
    child.root = KNARR_TRY(sys::duplicate(mount));
    // Else it is the first step inside that fails, with a path that is not to blame.
    return child.plan.own_user_namespace() ? sys::check_passable(child.root, place) : Result<>{};
}

namespace {

/// A tmpfs over a directory of the image is as that directory unless its options say otherwise, as
/// with runc: a /root stays closed. One over nothing has the kernel's 1777.
Result<std::vector<sys::FsOption>> options_of(const Child& child, const step::MountFs& step) {
    std::vector<sys::FsOption> options = sys::split_options(step.data);
    const auto has = [&](std::string_view key) {
        return std::ranges::find(options, key, &sys::FsOption::key) != options.end();
    };
    if (step.fstype != "tmpfs" || (has("mode") && !step.copy_up)) {
        return options;
    }
    const Result<sys::Fd> there = sys::open_in_root(child.root, step.target, O_PATH | O_DIRECTORY);
    if (!there) {
        return options;
    }
    const struct stat entry = KNARR_TRY(sys::stat_of(*there));
    if (!has("mode")) {
        options.push_back({.key = "mode", .value = fmt::format("{:o}", entry.st_mode & 07777)});
    }
    if (step.copy_up && !has("uid") && !has("gid") && (entry.st_uid | entry.st_gid) != 0) {
        options.push_back({.key = "uid", .value = fmt::format("{}", entry.st_uid)});
        options.push_back({.key = "gid", .value = fmt::format("{}", entry.st_gid)});
    }
    return options;
}

}  // namespace

Result<> mount_fs(Child& child, const step::MountFs& step) {
    const bool kernel_fs = step.fstype == "proc" || step.fstype == "sysfs";
    const std::vector<sys::FsOption> options = KNARR_TRY(options_of(child, step));
    const sys::Fd target = kernel_fs ? KNARR_TRY(open_kernel_fs_target(child.root, step.target))
                                     : KNARR_TRY(open_target(child, step.target, step.target_mode));
    Result<sys::Fd> made = sys::make_filesystem(step.fstype, step.source, options, step.flags);
    if (!made) {
        return fail(advise_new_fs(std::move(made).error(), step.fstype));
    }
    const sys::Fd mount = KNARR_TRY(std::move(made));
    if (step.copy_up) {
        KNARR_TRY(copy_up(target, mount), "copy the content of {} up", printable(step.target));
    }
    KNARR_TRY(sys::attach_mount(mount, target));
    if (kernel_fs || step.target == "/dev") {
        child.kernel_places.push_back(KNARR_TRY(sys::stat_of(mount)).st_dev);
    }
    return set_propagation(mount, step.propagation);
}

namespace {

/// Shows a detached mount with other IDs. Source: mount_setattr(2), "ID-mapped mounts".
Result<> map_ids(const sys::Fd& mount, const step::Bind& step) {
    const sys::Fd users = KNARR_TRY(
        sys::make_user_namespace(to_lines(step.uid_mappings), to_lines(step.gid_mappings)));
    Result<> mapped = sys::set_mount_attributes(
        mount, {.user_namespace = &users, .recursive = step.idmap_recursive});
    if (!mapped && mapped.error().sys_errno == EPERM) {
        return fail(std::move(mapped).error().advise(
            "only who is root where the file system was mounted may show it with other IDs, and "
            "only once: leave the mappings of this mount out, or run as root"));
    }
    if (!mapped && mapped.error().sys_errno == EINVAL) {
        return fail(std::move(mapped).error().advise(
            "the file system of the source cannot be ID-mapped by this kernel"));
    }
    return mapped;
}

}  // namespace

Result<sys::Fd> open_bind_source(const step::Bind& step) {
    Result<sys::Fd> mount =
        sys::explained(sys::clone_mount_at(step.source, step.recursive), step.source);
    if (!mount && mount.error().sys_errno == ENOENT) {
        return fail(std::move(mount).error().advise("make the source of the mount on the host"));
    }
    if (!mount && mount.error().sys_errno == EINVAL && !step.recursive) {
        return fail(std::move(mount).error().advise(
            "there are mounts below the source, which a user namespace may not leave out: use "
            "rbind"));
    }
    if (mount && (!step.uid_mappings.empty() || !step.gid_mappings.empty())) {
        KNARR_TRY(map_ids(*mount, step), "ID-mapped mount of {}", printable(step.source));
    }
    return mount;
}

namespace {

bool is_kernel_place(std::string_view path) {
    constexpr std::array<std::string_view, 3> kPlaces = {"/dev", "/proc", "/sys"};
    return std::ranges::any_of(kPlaces, [&](std::string_view place) {
        return path.starts_with(place) &&
               (path.size() == place.size() || path[place.size()] == '/');
    });
}

/// The path of what is open in the container's root, every link on the way to it followed.
Result<std::string> path_in_root(const sys::Fd& root, const sys::Fd& opened) {
    const std::string top = KNARR_TRY(sys::read_link_at(sys::Fd(), sys::fd_path(root)));
    std::string path = KNARR_TRY(sys::read_link_at(sys::Fd(), sys::fd_path(opened)));
    if (top != "/" && path.starts_with(top)) {
        path.erase(0, top.size());
    }
    return path;
}

/// A link in the image may not lay something of the host over /dev, /proc or /sys: what is made
/// there next, device nodes and mount points, would be made in that directory on the host, and a
/// file would stand for a device or for what the kernel says. The path tells of what is mounted
/// below them as well, the file system also of what is mounted elsewhere a second time.
Result<> check_bind_target(const Child& child, const std::string& path, const sys::Fd& target) {
    if (is_kernel_place(path)) {
        return {};
    }
    const struct stat entry = KNARR_TRY(sys::stat_of(target));
    if (std::ranges::find(child.kernel_places, entry.st_dev) == child.kernel_places.end() &&
        !is_kernel_place(KNARR_TRY(path_in_root(child.root, target)))) {
        return {};
    }
    return fail(Errc::denied,
                "{} is or passes a symbolic link in the image to /dev, /proc or /sys: nothing is "
                "mounted there through one",
                printable(path));
}

}  // namespace

Result<> bind(Child& child, const step::Bind& step, const sys::Fd* prepared) {
    sys::Fd own;
    if (prepared == nullptr) {
        own = KNARR_TRY(open_bind_source(step), "source");
    }
    const sys::Fd& mount = prepared != nullptr ? *prepared : own;
    const struct stat source = KNARR_TRY(sys::stat_of(mount));
    const bool kernel_place = step.target == "/proc" || step.target == "/sys";
    const sys::Fd target = kernel_place ? KNARR_TRY(open_kernel_fs_target(child.root, step.target))
                           : S_ISDIR(source.st_mode)
                               ? KNARR_TRY(open_target(child, step.target, 0755))
                               : KNARR_TRY(open_target_file(child, step.target));
    KNARR_TRY(check_bind_target(child, step.target, target));
    // Before it is attached: at no time is it seen with fewer restrictions than asked for.
    if ((step.set | step.clear) != 0) {
        KNARR_TRY(sys::set_mount_attributes(mount, {.set = step.set, .clear = step.clear}));
    }
    if ((step.rec_set | step.rec_clear) != 0) {
        KNARR_TRY(sys::set_mount_attributes(
            mount, {.set = step.rec_set, .clear = step.rec_clear, .recursive = true}));
    }
    Result<> attached = sys::attach_mount(mount, target);
    if (!attached && attached.error().sys_errno == ENOTDIR) {
        return fail(std::move(attached).error().advise(
            S_ISDIR(source.st_mode) ? "the source is a directory, the target is a file"
                                    : "the source is a file, the target is a directory"));
    }
    KNARR_TRY(std::move(attached));
    return set_propagation(mount, step.propagation);
}

Result<> remount(Child& child, const step::Remount& step) {
    const sys::Fd target = KNARR_TRY(sys::open_in_root(child.root, step.target, O_PATH));
    return sys::remount(
        target, step.flags | (step.bind ? static_cast<unsigned long>(MS_BIND) : 0UL), step.data);
}

namespace {

/// Our own null device, by descriptor: what a path of the container names could be anything
/// (CVE-2025-31133).
Result<sys::Fd> clone_null_device() {
    sys::Fd mount = KNARR_TRY(sys::clone_mount_at("/dev/null", false));
    const struct stat entry = KNARR_TRY(sys::stat_of(mount));
    if (!S_ISCHR(entry.st_mode) || entry.st_rdev != makedev(1, 3)) {
        return fail(make_errno(ENODEV, "/dev/null of the host is not the null device")
                        .advise("mend it: mknod -m 666 /dev/null c 1 3"));
    }
    return mount;
}

}  // namespace

Result<> mask_path(Child& child, const step::MaskPath& step) {
    Result<sys::Fd> found = sys::open_in_root(child.root, step.path, O_PATH);
    if (!found && sys::is_absent(found.error())) {
        return {};
    }
    const sys::Fd target = KNARR_TRY(std::move(found));
    const struct stat entry = KNARR_TRY(sys::stat_of(target));
    if (!S_ISDIR(entry.st_mode)) {
        const sys::Fd null_device = KNARR_TRY(clone_null_device());
        return sys::attach_mount(null_device, target);
    }
    if (child.empty.valid()) {
        const sys::Fd again = KNARR_TRY(sys::clone_mount(child.empty, false));
        return sys::attach_mount(again, target);
    }
    child.empty = KNARR_TRY(sys::make_filesystem("tmpfs",
                                                 "tmpfs",
                                                 sys::split_options("nr_inodes=1,size=4k,mode=755"),
                                                 MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC));
    return sys::attach_mount(child.empty, target);
}

Result<> readonly_path(Child& child, const step::ReadonlyPath& step) {
    Result<sys::Fd> found = sys::open_in_root(child.root, step.path, O_PATH);
    if (!found && sys::is_absent(found.error())) {
        return {};
    }
    const sys::Fd target = KNARR_TRY(std::move(found));
    const sys::Fd mount = KNARR_TRY(sys::clone_mount(target, true));
    KNARR_TRY(sys::set_mount_attributes(mount,
                                        {.set = sys::attributes_of(MS_RDONLY), .recursive = true}));
    return sys::attach_mount(mount, target);
}

Result<> enter_root(Child& child, const step::PivotRoot& step) {
    switch (step.way) {
        case step::PivotRoot::Way::pivot:
            return sys::pivot_to(child.root);
        case step::PivotRoot::Way::move:
            return sys::move_to_root(child.root);
        case step::PivotRoot::Way::chroot:
            return sys::chroot_to(child.root);
    }
    return {};
}

}  // namespace knarr::runtime
