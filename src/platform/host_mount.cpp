#include "platform/host_mount.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "core/text.h"

namespace knarr::sys {

Result<bool> is_mount_point(const std::string& path) {
    struct statx info{};
    if (statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, 0, &info) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return false;
        }
        return fail_errno(errno, "statx {}", printable(path));
    }
    return (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Result<> unmount_path(const std::string& path, UnmountWay way) {
    const int flags = UMOUNT_NOFOLLOW | (way == UnmountWay::detach ? MNT_DETACH : 0);
    if (umount2(path.c_str(), flags) != 0) {
        return fail_errno(errno, "umount {}", printable(path));
    }
    return {};
}

Result<> detach_if_mounted(const std::string& path) {
    Result<> gone = unmount_path(path, UnmountWay::detach);
    const bool nothing =
        !gone && (gone.error().sys_errno == EINVAL || gone.error().sys_errno == ENOENT);
    return nothing ? Result<>{} : gone;
}

}  // namespace knarr::sys
