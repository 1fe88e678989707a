#include "platform/node.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"

namespace knarr::sys {

Result<> make_node_at(const Fd& dir, const std::string& name, mode_t type_and_mode, dev_t device) {
    if (mknodat(dir.get(), name.c_str(), type_and_mode, device) != 0) {
        return fail_errno(errno, "mknod {}", printable(name));
    }
    return {};
}

Result<> make_symlink_at(const Fd& dir, const std::string& name, const std::string& target) {
    if (symlinkat(target.c_str(), dir.get(), name.c_str()) != 0) {
        return fail_errno(errno, "symlink {}", printable(name));
    }
    return {};
}

Result<> set_owner(const Fd& fd, uid_t uid, gid_t gid) {
    if (fchownat(fd.get(), "", uid, gid, AT_EMPTY_PATH) != 0) {
        return fail_errno(errno, "chown to {}:{}", uid, gid);
    }
    return {};
}

Result<> set_mode(const Fd& fd, mode_t mode) {
    // fchmod refuses O_PATH descriptors; their link in procfs is the same file.
    if (chmod(fd_path(fd).c_str(), mode & 07777) != 0) {
        return fail_errno(errno, "chmod to {:04o}", mode & 07777);
    }
    return {};
}

Result<> set_attributes_at(const Fd& dir, const std::string& name, const struct stat& like) {
    if (fchownat(dir.get(), name.c_str(), like.st_uid, like.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_errno(errno, "chown {}", printable(name));
    }
    if (!S_ISLNK(like.st_mode)) {
        // fchmodat follows a link that somebody has just put there, to a file of the host.
        const Fd entry = KNARR_TRY(open_at(dir, name, O_PATH | O_NOFOLLOW));
        KNARR_TRY(set_mode(entry, like.st_mode), "{}", printable(name));
    }
    const std::array<timespec, 2> times{like.st_atim, like.st_mtim};
    if (utimensat(dir.get(), name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) {
        return fail_errno(errno, "set the times of {}", printable(name));
    }
    return {};
}

}  // namespace knarr::sys
