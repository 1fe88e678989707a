// System calls that tell what a file is.

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

namespace {

void fill(const Inode& inode, struct stat& out) {
    std::memset(&out, 0, sizeof out);
    out.st_dev = inode.filesystem == 0 ? 1 : static_cast<dev_t>(inode.filesystem);
    out.st_ino = inode.number;
    out.st_mode = inode.mode;
    out.st_nlink = static_cast<nlink_t>(inode.links);
    out.st_uid = inode.uid;
    out.st_gid = inode.gid;
    out.st_rdev = inode.device;
    out.st_size = static_cast<off_t>(inode.data.size());
    out.st_blksize = 4096;
    out.st_blocks = (out.st_size + 511) / 512;
    out.st_mtim.tv_sec = inode.changed / 1'000'000'000;
    out.st_mtim.tv_nsec = inode.changed % 1'000'000'000;
    out.st_ctim = out.st_mtim;
}

long do_stat(int dir, const char* path, unsigned flags, struct stat* out) {
    Inode* inode = nullptr;
    const int failed = find_inode(dir, path, flags, inode);
    if (failed == 0) {
        fill(*inode, *out);
    }
    return failed;
}

}  // namespace

Inode* inode_of(File* file) {
    return file->inode != nullptr ? file->inode : new_inode(Kind::anonymous, S_IFIFO | 0600);
}

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

SIM_WRAP(int,
         fstatat,
         (int dir, const char* path, struct stat* out, int flags),
         (dir, path, out, flags)) {
    SIM_ENTER("fstatat", none, "{} {}", dir, shown(path));
    if (*path == '\0' && (flags & AT_EMPTY_PATH) != 0) {
        File* file = file_of(dir);
        if (file == nullptr) {
            return end_call(-EBADF);
        }
        fill(*inode_of(file), *out);
        return end_call(0);
    }
    return end_call(do_stat(dir, path, (flags & AT_SYMLINK_NOFOLLOW) != 0 ? kNoFollow : 0U, out));
}
SIM_WRAP(int, stat, (const char* path, struct stat* out), (path, out)) {
    SIM_ENTER("stat", none, "{}", shown(path));
    return end_call(do_stat(AT_FDCWD, path, 0, out));
}
SIM_WRAP(int, fstat, (int fd, struct stat* out), (fd, out)) {
    SIM_ENTER("fstat", none, "{}", fd);
    File* file = file_of(fd);
    if (file == nullptr) {
        return end_call(-EBADF);
    }
    fill(*inode_of(file), *out);
    return end_call(0);
}
SIM_WRAP(int, access, (const char* path, int mode), (path, mode)) {
    SIM_ENTER("access", none, "{} {}", shown(path), mode);
    Inode* inode = nullptr;
    return end_call(find_inode(AT_FDCWD, path, 0, inode));
}
SIM_WRAP(int,
         faccessat,
         (int dir, const char* path, int mode, int flags),
         (dir, path, mode, flags)) {
    SIM_ENTER("faccessat", none, "{} {} {}", dir, shown(path), mode);
    Inode* inode = nullptr;
    const int failed =
        find_inode(dir, path, (flags & AT_SYMLINK_NOFOLLOW) != 0 ? kNoFollow : 0U, inode);
    if (failed == 0 && (mode & X_OK) != 0 && inode->kind == Kind::regular &&
        (inode->mode & 0111) == 0) {
        return end_call(-EACCES);
    }
    return end_call(failed);
}
SIM_WRAP(int, fstatfs, (int fd, struct statfs* out), (fd, out)) {
    SIM_ENTER("fstatfs", none, "{}", fd);
    File* file = file_of(fd);
    if (file == nullptr) {
        return end_call(-EBADF);
    }
    std::memset(out, 0, sizeof *out);
    out->f_type = inode_of(file)->filesystem;
    return end_call(0);
}

// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
