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

Result<> set_attributes(const Fd& fd, const struct stat& like) {
    // In this order: a new owner takes the set-user-ID bit away.
    KNARR_TRY(set_owner(fd, like.st_uid, like.st_gid));
    if (!S_ISLNK(KNARR_TRY(stat_of(fd)).st_mode)) {
        KNARR_TRY(set_mode(fd, like.st_mode));
    }
    const std::array<timespec, 2> times{like.st_atim, like.st_mtim};
    if (utimensat(fd.get(), "", times.data(), AT_EMPTY_PATH) != 0) {
        return fail_errno(errno, "set its times");
    }
    return {};
}

Result<> set_attributes_at(const Fd& dir, const std::string& name, const struct stat& like) {
    const Fd entry = KNARR_TRY(open_at(dir, name, O_PATH | O_NOFOLLOW));
    if (((KNARR_TRY(stat_of(entry)).st_mode ^ like.st_mode) & S_IFMT) != 0) {
        return fail(Errc::io, "{} was replaced meanwhile", printable(name));
    }
    KNARR_TRY(set_attributes(entry, like), "{}", printable(name));
    return {};
}

Result<Fd> reopen(const Fd& found, int flags) {
    const struct stat info = KNARR_TRY(stat_of(found));
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) {
        return fail(Errc::io, "it is neither a file nor a directory any more");
    }
    return open_path(fd_path(found), flags);
}

}  // namespace knarr::sys
