// What is accepted and changes nothing, and what would reach the real kernel and must not.

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include <fcntl.h>
#include <sched.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "sim/wrap.h"

namespace knarr::sim {

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

// There are no users, times of files and extended attributes.
SIM_WRAP(ssize_t, flistxattr, (int fd, char* list, size_t size), (fd, list, size)) {
    return 0;
}
SIM_WRAP(ssize_t,
         fgetxattr,
         (int fd, const char* name, void* value, size_t size),
         (fd, name, value, size)) {
    errno = ENODATA;
    return -1;
}
SIM_WRAP(int,
         fsetxattr,
         (int fd, const char* name, const void* value, size_t size, int flags),
         (fd, name, value, size, flags)) {
    return 0;
}
SIM_WRAP(int,
         lsetxattr,
         (const char* path, const char* name, const void* value, size_t size, int flags),
         (path, name, value, size, flags)) {
    return 0;
}
SIM_WRAP(int,
         fchownat,
         (int dir, const char* path, uid_t uid, gid_t gid, int flags),
         (dir, path, uid, gid, flags)) {
    return 0;
}
SIM_WRAP(int,
         fchmodat,
         (int dir, const char* path, mode_t mode, int flags),
         (dir, path, mode, flags)) {
    return 0;
}
SIM_WRAP(int,
         utimensat,
         (int dir, const char* path, const timespec times[2], int flags),
         (dir, path, times, flags)) {
    return 0;
}
SIM_WRAP(int, futimens, (int fd, const timespec times[2]), (fd, times)) {
    return 0;
}
SIM_WRAP(int, sethostname, (const char* name, size_t size), (name, size)) {
    return 0;
}
SIM_WRAP(int, setdomainname, (const char* name, size_t size), (name, size)) {
    return 0;
}

/// Asked for one thing: whether something is mounted there on the host, which nobody does.
SIM_WRAP(int,
         statx,
         (int dir, const char* path, int flags, unsigned mask, struct statx* out),
         (dir, path, flags, mask, out)) {
    SIM_ENTER("statx", none, "{} {}", dir, path);
    Found found;
    const int failed = walk(dir, path, kNoFollow, found);
    std::memset(out, 0, sizeof *out);
    out->stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
    return end_call(failed != 0 ? failed : found.inode == nullptr ? -ENOENT : 0);
}
/// A disk is never full for long: writes fail by chance.
SIM_WRAP(int, statvfs, (const char* path, struct statvfs* out), (path, out)) {
    SIM_ENTER("statvfs", none, "{}", path);
    *out = {};
    out->f_bsize = out->f_frsize = 4096;
    out->f_blocks = out->f_bfree = out->f_bavail = 1U << 20U;
    out->f_files = out->f_ffree = out->f_favail = 1U << 20U;
    return end_call(0);
}
/// Asked for one thing: whether our program can be written to; its file system is read-only.
SIM_WRAP(int, fstatvfs, (int fd, struct statvfs* out), (fd, out)) {
    *out = {};
    out->f_flag = ST_RDONLY;
    return 0;
}
SIM_WRAP(int, chmod, (const char* path, mode_t mode), (path, mode)) {
    not_simulated("chmod");
}
SIM_WRAP(ssize_t, sendfile, (int to, int from, off_t* at, size_t size), (to, from, at, size)) {
    not_simulated("sendfile");
}
extern "C" int __real_clone(int (*)(void*), void*, int, void*, ...);
extern "C" int __wrap_clone(int (*body)(void*), void* stack, int flags, void* argument, ...) {
    if (self == nullptr) {
        return __real_clone(body, stack, flags, argument);
    }
    not_simulated("clone of a thread");
}

// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
