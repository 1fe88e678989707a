#include "platform/path_access.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/core.h"
#include "core/limits.h"
#include "core/text.h"

namespace knarr::sys {

namespace {

/// The first directory on the way that refuses to be passed; empty when there is none.
std::string first_closed(const std::string& path) {
    for (std::size_t at = 0; at != std::string::npos && path.size() <= limits::kMaxPathBytes;) {
        const std::size_t slash = path.find('/', at);
        const std::string dir = slash == 0 ? "/" : path.substr(0, slash);
        at = slash == std::string::npos ? slash : slash + 1;
        struct stat entry{};
        if (dir.empty() || stat(dir.c_str(), &entry) != 0) {
            continue;
        }
        if (S_ISDIR(entry.st_mode) && faccessat(AT_FDCWD, dir.c_str(), X_OK, AT_EACCESS) != 0 &&
            errno == EACCES) {
            return dir;
        }
    }
    return {};
}

Error add_closed(Error error, const std::string& name, const struct stat& entry) {
    error.message += fmt::format(": user {} may not pass {} (mode {:04o}, owner {}:{})",
                                 geteuid(),
                                 printable(name),
                                 entry.st_mode & 07777,
                                 entry.st_uid,
                                 entry.st_gid);
    return std::move(error).advise(
        fmt::format("chmod a+x {}, or give it to that user", printable(name)));
}

}  // namespace

Error explain_denied(Error error, const std::string& path) {
    if (error.sys_errno != EACCES) {
        return error;
    }
    const std::string dir = first_closed(path);
    struct stat entry{};
    if (dir.empty() || stat(dir.c_str(), &entry) != 0) {
        return error;
    }
    return add_closed(std::move(error), dir, entry);
}

Result<> check_passable(const Fd& dir, const std::string& name) {
    if (faccessat(dir.get(), ".", X_OK, AT_EACCESS) == 0) {
        return {};
    }
    const int error = errno;
    struct stat entry{};
    if (error != EACCES || fstat(dir.get(), &entry) != 0) {
        return fail_errno(error, "enter {}", printable(name));
    }
    return fail(
        add_closed(make_errno(error, fmt::format("enter {}", printable(name))), name, entry));
}

Result<> check_executable(const std::string& path) {
    if (faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) {
        return {};
    }
    Error error = explain_denied(make_errno(errno, "execute " + printable(path)), path);
    error.code = Errc::exec_failed;
    struct stat entry{};
    if (error.sys_errno != EACCES || stat(path.c_str(), &entry) != 0) {
        return fail(std::move(error));
    }
    struct statvfs place{};
    if (statvfs(path.c_str(), &place) == 0 && (place.f_flag & ST_NOEXEC) != 0) {
        error.message += ": it is on a file system that is mounted noexec";
        return fail(std::move(error).advise(
            "put the program elsewhere, or mount that directory without noexec (exec)"));
    }
    error.message += fmt::format(": user {} may not (mode {:04o}, owner {}:{})",
                                 geteuid(),
                                 entry.st_mode & 07777,
                                 entry.st_uid,
                                 entry.st_gid);
    return fail(std::move(error).advise(
        fmt::format("chmod a+rx {} in the image, or run as its owner", printable(path))));
}

}  // namespace knarr::sys
