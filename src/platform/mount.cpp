#include "platform/mount.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/mountinfo.h"

namespace knarr::sys {

namespace {

constexpr std::array<std::pair<unsigned long, std::uint64_t>, 6> kAttributes{{
    {MS_RDONLY, MOUNT_ATTR_RDONLY},
    {MS_NOSUID, MOUNT_ATTR_NOSUID},
    {MS_NODEV, MOUNT_ATTR_NODEV},
    {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
    {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
    {256 /* MS_NOSYMFOLLOW */, MOUNT_ATTR_NOSYMFOLLOW},
}};

/// Flags that belong to the superblock, and their fsconfig names.
constexpr std::array<std::pair<unsigned long, const char*>, 5> kSuperblockFlags{{
    {MS_RDONLY, "ro"},
    {MS_SYNCHRONOUS, "sync"},
    {MS_DIRSYNC, "dirsync"},
    {MS_MANDLOCK, "mand"},
    {MS_LAZYTIME, "lazytime"},
}};

int fs_config(const Fd& fs, unsigned command, const char* key, const void* value, int aux) {
    return static_cast<int>(syscall(SYS_fsconfig, fs.get(), command, key, value, aux));
}

/// The kernel's explanation, read from the fs context: lines such as "e tmpfs: Bad value for ...".
std::string kernel_words(const Fd& fs) {
    std::string words;
    std::array<char, 512> line{};
    for (int i = 0; i < 8; ++i) {
        const ssize_t got = read(fs.get(), line.data(), line.size());
        if (got <= 2) {
            break;
        }
        std::string_view text(line.data() + 2, static_cast<std::size_t>(got) - 2);
        if (text.ends_with('\n')) {
            text.remove_suffix(1);
        }
        words += " (" + printable(text) + ")";
    }
    return words;
}

Result<> set_option(const Fd& fs, const FsOption& option) {
    int done = 0;
    if (option.fd != nullptr) {
        done = fs_config(fs, FSCONFIG_SET_FD, option.key.c_str(), nullptr, option.fd->get());
    } else if (option.is_flag) {
        done = fs_config(fs, FSCONFIG_SET_FLAG, option.key.c_str(), nullptr, 0);
    } else {
        done = fs_config(fs, FSCONFIG_SET_STRING, option.key.c_str(), option.value.c_str(), 0);
    }
    if (done != 0) {
        const int error = errno;
        return fail_errno(error, "option \"{}\"{}", printable(option.key), kernel_words(fs));
    }
    return {};
}

}  // namespace

std::vector<FsOption> split_options(const std::string& data) {
    std::vector<FsOption> options;
    if (data.empty()) {
        return options;
    }
    for (const std::string_view part : split(data, ',')) {
        const std::size_t equals = part.find('=');
        if (part.empty()) {
            continue;
        }
        if (equals == std::string_view::npos) {
            options.push_back({.key = std::string(part), .value = {}, .is_flag = true});
        } else {
            options.push_back({.key = std::string(part.substr(0, equals)),
                               .value = std::string(part.substr(equals + 1))});
        }
    }
    return options;
}

std::uint64_t attributes_of(unsigned long flags) {
    std::uint64_t attributes = 0;
    for (const auto& [flag, attribute] : kAttributes) {
        attributes |= (flags & flag) != 0 ? attribute : 0;
    }
    if ((flags & MS_NOATIME) != 0) {
        attributes |= MOUNT_ATTR_NOATIME;
    } else if ((flags & MS_STRICTATIME) != 0) {
        attributes |= MOUNT_ATTR_STRICTATIME;
    }
    return attributes;  // relatime is 0
}

Result<Fd> make_filesystem(const std::string& fstype,
                           const std::string& source,
                           const std::vector<FsOption>& options,
                           unsigned long flags) {
    const Fd fs(static_cast<int>(syscall(SYS_fsopen, fstype.c_str(), FSOPEN_CLOEXEC)));
    if (!fs.valid()) {
        return fail_errno(errno, "file system type {}", printable(fstype));
    }
    if (!source.empty()) {
        KNARR_TRY(set_option(fs, {.key = "source", .value = source}));
    }
    for (const auto& [flag, name] : kSuperblockFlags) {
        if ((flags & flag) != 0) {
            KNARR_TRY(set_option(fs, {.key = name, .value = {}, .is_flag = true}));
        }
    }
    for (const FsOption& option : options) {
        KNARR_TRY(set_option(fs, option));
    }
    if (fs_config(fs, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
        const int error = errno;
        return fail_errno(error, "create {} file system{}", printable(fstype), kernel_words(fs));
    }
    const long mount = syscall(SYS_fsmount, fs.get(), FSMOUNT_CLOEXEC, attributes_of(flags));
    if (mount < 0) {
        const int error = errno;
        return fail_errno(error, "fsmount {}{}", printable(fstype), kernel_words(fs));
    }
    return Fd(static_cast<int>(mount));
}

namespace {
Result<Fd> open_tree(int dir, const char* path, unsigned flags) {
    const long fd = syscall(SYS_open_tree, dir, path, flags | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (fd < 0) {
        return fail_errno(errno, "open_tree {}", printable(path));
    }
    return Fd(static_cast<int>(fd));
}
}  // namespace

Result<Fd> clone_mount(const Fd& fd, bool recursive) {
    return open_tree(fd.get(), "", AT_EMPTY_PATH | (recursive ? unsigned{AT_RECURSIVE} : 0U));
}

Result<Fd> clone_mount_at(const std::string& host_path, bool recursive) {
    return open_tree(AT_FDCWD, host_path.c_str(), recursive ? AT_RECURSIVE : 0);
}

Result<> attach_mount(const Fd& mount, const Fd& target) {
    if (syscall(SYS_move_mount,
                mount.get(),
                "",
                target.get(),
                "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
        return fail_errno(errno, "move_mount");
    }
    return {};
}

Result<> set_mount_attributes(const Fd& mount, const MountAttributes& attributes) {
    struct mount_attr attr{};
    attr.attr_set = attributes.set;
    attr.attr_clr = attributes.clear;
    attr.propagation = attributes.propagation;
    if ((attributes.set & (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME)) != 0 ||
        (attributes.clear & MOUNT_ATTR__ATIME) != 0) {
        attr.attr_clr |= MOUNT_ATTR__ATIME;  // the kernel wants all atime bits cleared together
    }
    if (attributes.user_namespace != nullptr) {
        attr.attr_set |= MOUNT_ATTR_IDMAP;
        attr.userns_fd = static_cast<std::uint64_t>(attributes.user_namespace->get());
    }
    const unsigned flags = AT_EMPTY_PATH | (attributes.recursive ? unsigned{AT_RECURSIVE} : 0U);
    if (syscall(SYS_mount_setattr, mount.get(), "", flags, &attr, sizeof attr) != 0) {
        return fail_errno(errno, "mount_setattr");
    }
    return {};
}

Result<> set_propagation_of_all(unsigned long flags) {
    if (mount(nullptr, "/", nullptr, flags, nullptr) != 0) {
        return fail_errno(errno, "change the propagation of /");
    }
    return {};
}

Result<> make_parent_private(const std::string& host_path) {
    const std::string table = KNARR_TRY(read_file("/proc/self/mountinfo", kMaxMountinfoBytes));
    std::string best;
    for (const std::string_view line : split(table, '\n')) {
        auto found = parse_mount_line(line);
        // Of mounts on one point the last one is on top.
        if (found && is_below(host_path, found->mount_point) &&
            found->mount_point.size() >= best.size()) {
            best = std::move(found->mount_point);
        }
    }
    if (mount(nullptr, best.c_str(), nullptr, MS_PRIVATE, nullptr) != 0) {
        return fail_errno(errno, "make the mount {} private", printable(best));
    }
    return {};
}

Result<> remount(const Fd& target, unsigned long flags, const std::string& data) {
    if (mount(nullptr, fd_path(target).c_str(), nullptr, flags | MS_REMOUNT, data.c_str()) != 0) {
        return fail_errno(errno, "remount");
    }
    return {};
}

Result<> pivot_to(const Fd& root) {
    // Both the new and the old root are "." afterwards, the old one on top: it is detached there.
    // Source: pivot_root(2), "pivot_root(".", ".")". The unmount does not reach the host, because
    // no mount of the old tree is shared: it was made private or a slave at the start. A mount(2)
    // on "." here would change the new root, which "." still names.
    if (fchdir(root.get()) != 0) {
        return fail_errno(errno, "fchdir to the root file system");
    }
    if (syscall(SYS_pivot_root, ".", ".") != 0) {
        return fail(make_errno(errno, "pivot_root")
                        .advise("pivot_root cannot leave an initramfs: use --no-pivot there"));
    }
    if (umount2(".", MNT_DETACH) != 0) {
        return fail_errno(errno, "detach the old root");
    }
    if (chdir("/") != 0) {
        return fail_errno(errno, "chdir /");
    }
    return {};
}

namespace {

/// What is moved away from stays mounted below. A user namespace may mount procfs and sysfs only
/// where one shows in full already (kernel fs/namespace.c, mount_too_revealing): the host's would
/// let a program get round the container's masked paths.
Result<> hide_kernel_mounts(const Fd& root) {
    const std::string ours = KNARR_TRY(read_link_at(Fd(), fd_path(root)));
    const std::string table = KNARR_TRY(read_file("/proc/self/mountinfo", kMaxMountinfoBytes));
    std::vector<std::string> places;
    for (const std::string_view line : split(table, '\n')) {
        auto found = parse_mount_line(line);
        if (found && found->root == "/" && (found->fstype == "proc" || found->fstype == "sysfs") &&
            !is_below(found->mount_point, ours)) {
            places.push_back(std::move(found->mount_point));
        }
    }
    for (auto place = places.rbegin(); place != places.rend(); ++place) {
        if (umount2(place->c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT) {
            continue;
        }
        // Locked: somebody with more privileges mounted it. It is covered then.
        if (mount("tmpfs", place->c_str(), "tmpfs", MS_RDONLY, nullptr) != 0) {
            return fail_errno(errno, "hide the host's {}", printable(*place));
        }
    }
    return {};
}

}  // namespace

Result<> move_to_root(const Fd& root) {
    KNARR_TRY(hide_kernel_mounts(root), "leave the host's procfs and sysfs behind");
    if (fchdir(root.get()) != 0) {
        return fail_errno(errno, "fchdir to the root file system");
    }
    if (mount(".", "/", nullptr, MS_MOVE, nullptr) != 0) {
        return fail_errno(errno, "move the root file system to /");
    }
    return chroot_to(root);
}

Result<> chroot_to(const Fd& root) {
    if (fchdir(root.get()) != 0 || chroot(".") != 0 || chdir("/") != 0) {
        return fail_errno(errno, "chroot");
    }
    return {};
}

bool is_kernel_view(const Fd& fd) {
    constexpr std::array<std::uint32_t, 18> kViews{
        PROC_SUPER_MAGIC,
        SYSFS_MAGIC,
        CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC,
        DEVPTS_SUPER_MAGIC,
        DEBUGFS_MAGIC,
        TRACEFS_MAGIC,
        SECURITYFS_MAGIC,
        BPF_FS_MAGIC,
        BINFMTFS_MAGIC,
        PSTOREFS_MAGIC,
        EFIVARFS_MAGIC,
        SELINUX_MAGIC,
        NSFS_MAGIC,
        0x19800202,  // mqueue: ipc/mqueue.c
        0x07655821,  // resctrl: RDTGROUP_SUPER_MAGIC
        0x62656570,  // configfs: fs/configfs/mount.c
        0x65735543,  // fusectl: fs/fuse/control.c
    };
    struct statfs out{};
    return fstatfs(fd.get(), &out) == 0 &&
           std::ranges::find(kViews, static_cast<std::uint32_t>(out.f_type)) != kViews.end();
}

bool is_procfs(const Fd& fd) {
    struct statfs out{};
    return fstatfs(fd.get(), &out) == 0 && out.f_type == PROC_SUPER_MAGIC;
}

}  // namespace knarr::sys
