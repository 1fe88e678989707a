// The child's steps that make entries in /dev. A link in the way is refused, never followed: an
// image could point /dev at a directory of a mounted volume (CVE-2026-41579).

#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/node.h"
#include "platform/terminal.h"
#include "platform/unix_socket.h"
#include "runtime/launch/child.h"

namespace knarr::runtime {

namespace {

struct Place {
    sys::Fd dir;
    std::string name;
};

/// The directory that holds `path`, made where missing and reached through no link.
Result<Place> open_place(const sys::Fd& root, const std::string& path) {
    const std::size_t slash = path.rfind('/');
    std::string dir = slash == std::string::npos ? "" : path.substr(0, slash);
    dir.erase(0, std::min(dir.find_first_not_of('/'), dir.size()));
    const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (name.empty() || name == "." || name == "..") {
        return fail(Errc::invalid_config, "{} names no file", printable(path));
    }
    const auto open_dir = [&] {
        return sys::open_how(root,
                             dir.empty() ? "." : dir,
                             O_PATH | O_DIRECTORY,
                             RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    };
    Result<sys::Fd> fd = open_dir();
    if (!fd && fd.error().sys_errno == ENOENT) {
        KNARR_TRY(sys::make_dirs_in_root(root, dir, 0755));
        fd = open_dir();
    }
    if (!fd && fd.error().sys_errno == ELOOP) {
        return fail(Errc::denied,
                    "/{} is or passes a symbolic link in the image: devices are never made "
                    "through one",
                    printable(dir));
    }
    sys::Fd opened = KNARR_TRY(std::move(fd));
    return Place{.dir = std::move(opened), .name = name};
}

Result<> bind_host_device(const Place& place, const std::string& path) {
    const sys::Fd mount = KNARR_TRY(sys::clone_mount_at(path, false));
    const sys::Fd target = KNARR_TRY(sys::make_file_in_root(place.dir, place.name, 0666));
    return sys::attach_mount(mount, target);
}

enum class Origin : std::uint8_t { made_here, was_there };

/// Only a node that was made here gets its owner and mode: another may be the host's own, mounted
/// there as a volume.
Result<> own_and_mode(const Place& place, const step::MakeDevice& step, Origin origin) {
    const sys::Fd node = KNARR_TRY(sys::open_at(place.dir, place.name, O_PATH | O_NOFOLLOW));
    const struct stat entry = KNARR_TRY(sys::stat_of(node));
    const bool same = (entry.st_mode & S_IFMT) == step.type &&
                      (step.type == S_IFIFO || entry.st_rdev == makedev(step.major, step.minor));
    if (!same) {
        auto other = fail(Errc::invalid_config,
                          "{} is there already and is not the device {}:{}",
                          printable(step.path),
                          step.major,
                          step.minor);
        return fail(std::move(other).error().advise(
            "remove it from the image or the volume, or mount a tmpfs on /dev"));
    }
    if (origin == Origin::was_there) {
        return {};
    }
    if (entry.st_uid != step.uid || entry.st_gid != step.gid) {
        KNARR_TRY(sys::set_owner(node, step.uid, step.gid), "{}", printable(step.path));
    }
    if ((entry.st_mode & 07777) != (step.mode & 07777)) {
        KNARR_TRY(sys::set_mode(node, step.mode), "{}", printable(step.path));
    }
    return {};
}

}  // namespace

Result<> make_device(Child& child, const step::MakeDevice& step) {
    const Place place = KNARR_TRY(open_place(child.root, step.path));
    if (step.bind) {
        return bind_host_device(place, step.path);
    }
    const dev_t device = step.type == S_IFIFO ? 0 : makedev(step.major, step.minor);
    Result<> made =
        sys::make_node_at(place.dir, place.name, step.type | (step.mode & 07777), device);
    if (!made && made.error().sys_errno == EPERM && step.type != S_IFIFO) {
        return bind_host_device(place, step.path);  // a user namespace may not make nodes
    }
    const bool there = !made && made.error().sys_errno == EEXIST;
    if (!there) {
        KNARR_TRY(std::move(made));
    }
    return own_and_mode(place, step, there ? Origin::was_there : Origin::made_here);
}

Result<> make_symlink(Child& child, const step::MakeSymlink& step) {
    const Place place = KNARR_TRY(open_place(child.root, step.path));
    Result<> made = sys::make_symlink_at(place.dir, place.name, step.target);
    // What the image put there stays, as with runc.
    return !made && made.error().sys_errno == EEXIST ? Result<>{} : std::move(made);
}

Result<> open_console(Child& child, const step::Console& step) {
    const sys::Terminal terminal = KNARR_TRY(sys::make_terminal(child.root));
    if (step.size) {
        KNARR_TRY(sys::set_terminal_size(terminal.slave, step.size->height, step.size->width));
    }
    if (step.owner != 0) {
        const struct stat slave = KNARR_TRY(sys::stat_of(terminal.slave));
        KNARR_TRY(sys::set_owner(terminal.slave, step.owner, slave.st_gid));
    }
    if (step.on_dev_console) {
        const Place place = KNARR_TRY(open_place(child.root, "/dev/console"));
        const sys::Fd target = KNARR_TRY(sys::make_file_in_root(place.dir, place.name, 0620));
        const sys::Fd mount = KNARR_TRY(sys::clone_mount(terminal.slave, false));
        KNARR_TRY(sys::attach_mount(mount, target), "mount the terminal on /dev/console");
    }
    KNARR_TRY(sys::send_terminal(child.io.console_socket, terminal.master, "/dev/ptmx"));
    return sys::become_foreground_of(terminal.slave);
}

}  // namespace knarr::runtime
