// System calls that take paths.

#include <cerrno>
#include <cstdarg>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

namespace {

void open_pipe(File* file, Inode* inode) {
    if (inode->pipe == nullptr) {
        inode->pipe = make<Pipe>();
    }
    file->kind = FileKind::pipe;
    file->pipe = inode->pipe;
    const int access = file->flags & O_ACCMODE;
    if (access == O_RDONLY && inode->pipe->writers == 0) {
        file->awaits_writer = inode->pipe->opened_to_write;
    }
    inode->pipe->opened_to_write += access != O_RDONLY ? 1 : 0;
    inode->pipe->readers += access != O_WRONLY ? 1 : 0;
    inode->pipe->writers += access != O_RDONLY ? 1 : 0;
    wake(inode->pipe);
}

long open_inode(Inode* inode, int flags) {
    if ((flags & O_DIRECTORY) != 0 && inode->kind != Kind::directory && inode->kind != Kind::proc) {
        return -ENOTDIR;
    }
    const bool path_only = (flags & O_PATH) != 0;
    if (!path_only && inode->kind == Kind::link) {
        return -ELOOP;
    }
    if (!path_only && inode->kind == Kind::directory && (flags & O_ACCMODE) != O_RDONLY) {
        return -EISDIR;
    }
    if (!path_only && inode->kind == Kind::socket) {
        return -ENXIO;
    }
    if (!path_only && inode->terminal != nullptr) {
        return open_slave(*inode->terminal, flags);
    }
    if (!path_only && inode->kind == Kind::device && inode->device == kMultiplexer) {
        return install(open_master(inode, flags), (flags & O_CLOEXEC) != 0);
    }
    File* file = new_file(FileKind::inode, flags);
    file->inode = inode;
    if (!path_only && inode->kind == Kind::fifo) {
        open_pipe(file, inode);
    }
    if (!path_only && (flags & O_TRUNC) != 0 && inode->kind == Kind::regular) {
        inode->data.clear();
    }
    return install(file, (flags & O_CLOEXEC) != 0);
}

}  // namespace

File* new_file(FileKind kind, int flags) {
    auto* file = make<File>();
    file->kind = kind;
    file->flags = flags & ~(O_CLOEXEC | O_CREAT | O_EXCL | O_TRUNC);
    ++world->files_open;
    return file;
}

long do_open(int dir, const char* path, int flags, mode_t mode, unsigned how) {
    if ((flags & O_NOFOLLOW) != 0 || ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0)) {
        how |= kNoFollow;
    }
    Found found;
    const int failed = walk(dir, path, how, found);
    if (failed != 0) {
        return failed;
    }
    if (found.inode == nullptr) {
        if ((flags & O_CREAT) == 0) {
            return -ENOENT;
        }
        if (found.dir->cgroup != nullptr) {
            return -EACCES;
        }
        Inode* made = new_inode(Kind::regular, S_IFREG | (mode & ~self->umask));
        const int refused = make_entry(found.dir, found.name, made);
        return refused != 0 ? refused : open_inode(made, flags);
    }
    if ((flags & O_CREAT) != 0 && (flags & O_EXCL) != 0) {
        return -EEXIST;
    }
    return open_inode(found.inode, flags);
}

namespace {

long do_mkdir(int dir, const char* path, mode_t mode) {
    Found found;
    const int failed = walk(dir, path, kNoFollow, found);
    if (failed != 0) {
        return failed;
    }
    if (found.inode != nullptr) {
        return -EEXIST;
    }
    if (found.dir->cgroup != nullptr) {
        Inode* made = nullptr;
        return make_cgroup(found.dir, found.name, made);
    }
    return make_entry(
        found.dir, found.name, new_inode(Kind::directory, S_IFDIR | (mode & ~self->umask)));
}

long do_unlink(int dir, const char* path, bool directory) {
    Found found;
    const int failed = walk(dir, path, kNoFollow, found);
    if (failed != 0) {
        return failed;
    }
    if (found.inode == nullptr) {
        return -ENOENT;
    }
    if (found.name.empty()) {
        return -EINVAL;
    }
    const bool is_dir = found.inode->kind == Kind::directory;
    if (directory != is_dir) {
        return is_dir ? -EISDIR : -ENOTDIR;
    }
    if (is_dir && found.inode->cgroup != nullptr) {
        return remove_cgroup(found.inode);
    }
    if (is_dir && !found.inode->entries.empty()) {
        return -ENOTEMPTY;
    }
    remove_entry(found.dir, found.name);
    return 0;
}

long do_rename(int from_dir, const char* from, int to_dir, const char* to) {
    Found source;
    Found target;
    int failed = walk(from_dir, from, kNoFollow, source);
    failed = failed != 0 ? failed : walk(to_dir, to, kNoFollow, target);
    if (failed != 0) {
        return failed;
    }
    if (source.inode == nullptr) {
        return -ENOENT;
    }
    if (target.inode == source.inode) {
        return 0;
    }
    const bool is_dir = source.inode->kind == Kind::directory;
    if (target.inode != nullptr) {
        const bool onto_dir = target.inode->kind == Kind::directory;
        if (is_dir != onto_dir) {
            return onto_dir ? -EISDIR : -ENOTDIR;
        }
        if (onto_dir && !target.inode->entries.empty()) {
            return -ENOTEMPTY;
        }
        remove_entry(target.dir, target.name);
    }
    if (world->settings.torn_rename) {
        begin_call("renameat", "between its halves", Fault::none);  // the planted bug
    }
    Inode* moved = source.inode;
    source.dir->entries.erase(Text(source.name));
    moved->parent = nullptr;
    const int refused = add_entry(target.dir, target.name, moved);
    tell_watchers(source.dir);
    return refused;
}

}  // namespace

int find_inode(int dir, const char* path, unsigned flags, Inode*& inode) {
    Found found;
    const int failed = walk(dir, path, flags, found);
    inode = found.inode;
    return failed != 0 ? failed : inode == nullptr ? -ENOENT : 0;
}

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

extern "C" int __real_open(const char*, int, ...);
extern "C" int __wrap_open(const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (self == nullptr) {
        return __real_open(path, flags, mode);
    }
    SIM_ENTER("open", descriptors, "{}", shown(path));
    return static_cast<int>(end_call(do_open(AT_FDCWD, path, flags, mode, 0)));
}

extern "C" int __real_openat(int, const char*, int, ...);
extern "C" int __wrap_openat(int dir, const char* path, int flags, ...) {
    va_list more;
    va_start(more, flags);
    const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;
    va_end(more);
    if (self == nullptr) {
        return __real_openat(dir, path, flags, mode);
    }
    SIM_ENTER("openat", descriptors, "{} {}", dir, shown(path));
    return static_cast<int>(end_call(do_open(dir, path, flags, mode, 0)));
}

long call_openat2(int dir, const char* path, const open_how& how) {
    SIM_ENTER("openat2", descriptors, "{} {}", dir, shown(path));
    unsigned flags = 0;
    flags |= (how.resolve & RESOLVE_IN_ROOT) != 0 ? kInRoot : 0U;
    flags |= (how.resolve & RESOLVE_BENEATH) != 0 ? kBeneath : 0U;
    flags |= (how.resolve & RESOLVE_NO_SYMLINKS) != 0 ? kNoLinks : 0U;
    return end_call(
        do_open(dir, path, static_cast<int>(how.flags), static_cast<mode_t>(how.mode), flags));
}

SIM_WRAP(int, mkdirat, (int dir, const char* path, mode_t mode), (dir, path, mode)) {
    SIM_ENTER("mkdirat", disk, "{} {}", dir, shown(path));
    return end_call(do_mkdir(dir, path, mode));
}
SIM_WRAP(int, mkdir, (const char* path, mode_t mode), (path, mode)) {
    SIM_ENTER("mkdir", disk, "{}", shown(path));
    return end_call(do_mkdir(AT_FDCWD, path, mode));
}
SIM_WRAP(int, rmdir, (const char* path), (path)) {
    SIM_ENTER("rmdir", none, "{}", shown(path));
    return end_call(do_unlink(AT_FDCWD, path, true));
}
SIM_WRAP(int, unlink, (const char* path), (path)) {
    SIM_ENTER("unlink", none, "{}", shown(path));
    return end_call(do_unlink(AT_FDCWD, path, false));
}
SIM_WRAP(int, unlinkat, (int dir, const char* path, int flags), (dir, path, flags)) {
    SIM_ENTER("unlinkat", disk, "{} {}", dir, shown(path));
    return end_call(do_unlink(dir, path, (flags & AT_REMOVEDIR) != 0));
}
SIM_WRAP(int,
         renameat,
         (int from_dir, const char* from, int to_dir, const char* to),
         (from_dir, from, to_dir, to)) {
    SIM_ENTER("renameat", disk, "{} {} {} {}", from_dir, shown(from), to_dir, shown(to));
    return end_call(do_rename(from_dir, from, to_dir, to));
}
SIM_WRAP(int, symlinkat, (const char* target, int dir, const char* path), (target, dir, path)) {
    SIM_ENTER("symlinkat", disk, "{} {}", dir, shown(path));
    Found found;
    int failed = walk(dir, path, kNoFollow, found);
    failed = failed != 0 ? failed : found.inode != nullptr ? -EEXIST : 0;
    if (failed == 0) {
        Inode* link = new_inode(Kind::link, S_IFLNK | 0777);
        link->data = target;
        failed = make_entry(found.dir, found.name, link);
    }
    return end_call(failed);
}
SIM_WRAP(int,
         linkat,
         (int from_dir, const char* from, int to_dir, const char* to, int flags),
         (from_dir, from, to_dir, to, flags)) {
    SIM_ENTER("linkat", disk, "{} {} {} {}", from_dir, shown(from), to_dir, shown(to));
    Inode* inode = nullptr;
    Found found;
    int failed =
        find_inode(from_dir, from, (flags & AT_SYMLINK_FOLLOW) != 0 ? 0U : kNoFollow, inode);
    failed = failed != 0 ? failed : walk(to_dir, to, kNoFollow, found);
    failed = failed != 0 ? failed : found.inode != nullptr ? -EEXIST : 0;
    if (failed == 0) {
        ++inode->links;
        failed = make_entry(found.dir, found.name, inode);
    }
    return end_call(failed);
}
SIM_WRAP(int,
         mknodat,
         (int dir, const char* path, mode_t mode, dev_t device),
         (dir, path, mode, device)) {
    SIM_ENTER("mknodat", disk, "{} {}", dir, shown(path));
    Found found;
    int failed = walk(dir, path, kNoFollow, found);
    failed = failed != 0 ? failed : found.inode != nullptr ? -EEXIST : 0;
    if (failed == 0) {
        const Kind kind = S_ISFIFO(mode)                   ? Kind::fifo
                          : S_ISCHR(mode) || S_ISBLK(mode) ? Kind::device
                                                           : Kind::regular;
        Inode* node = new_inode(kind, mode & ~self->umask);
        node->device = device;
        failed = make_entry(found.dir, found.name, node);
    }
    return end_call(failed);
}

SIM_WRAP(ssize_t,
         readlinkat,
         (int dir, const char* path, char* to, size_t size),
         (dir, path, to, size)) {
    SIM_ENTER("readlinkat", none, "{} {}", dir, shown(path));
    Found found;
    const int failed = walk(dir, path, kNoFollow, found);
    if (failed != 0) {
        return end_call(failed);
    }
    if (found.inode == nullptr) {
        return end_call(-ENOENT);
    }
    if (found.inode->kind != Kind::link && found.link.empty()) {
        return end_call(-EINVAL);
    }
    const std::string_view text = found.link.empty() ? view(found.inode->data) : found.link;
    const std::size_t count = std::min(size, text.size());
    std::memcpy(to, text.data(), count);
    return end_call(static_cast<long>(count));
}
extern "C" ssize_t __real_readlink(const char*, char*, size_t);
extern "C" ssize_t __wrap_readlink(const char* path, char* to, size_t size) {
    return self == nullptr ? __real_readlink(path, to, size)
                           : __wrap_readlinkat(AT_FDCWD, path, to, size);
}

SIM_WRAP(int, chdir, (const char* path), (path)) {
    SIM_ENTER("chdir", none, "{}", shown(path));
    Inode* inode = nullptr;
    int failed = find_inode(AT_FDCWD, path, 0, inode);
    failed = failed != 0 ? failed : inode->kind != Kind::directory ? -ENOTDIR : 0;
    if (failed == 0) {
        self->cwd = inode;
    }
    return end_call(failed);
}
SIM_WRAP(int, fchdir, (int fd), (fd)) {
    SIM_ENTER("fchdir", none, "{}", fd);
    File* file = file_of(fd);
    if (file == nullptr || file->inode == nullptr) {
        return end_call(-EBADF);
    }
    self->cwd = file->inode;
    return end_call(0);
}
SIM_WRAP(int, chroot, (const char* path), (path)) {
    SIM_ENTER("chroot", none, "{}", shown(path));
    Inode* inode = nullptr;
    const int failed = find_inode(AT_FDCWD, path, 0, inode);
    if (failed == 0) {
        self->root = inode;
    }
    return end_call(failed);
}
SIM_WRAP(int, inotify_add_watch, (int fd, const char* path, uint32_t mask), (fd, path, mask)) {
    SIM_ENTER("inotify_add_watch", none, "{} {} {:x}", fd, shown(path), mask);
    Inode* inode = nullptr;
    const int failed = find_inode(AT_FDCWD, path, 0, inode);
    if (failed == 0) {
        inode->watchers.push_back(file_of(fd));
    }
    return end_call(failed != 0 ? failed : 1);
}

// Directories: the C library's streams are replaced whole.
struct Listing {
    int fd = -1;
    std::vector<std::string> names;
    std::size_t at = 0;
    dirent entry{};
};

extern "C" DIR* __real_fdopendir(int);
extern "C" DIR* __wrap_fdopendir(int fd) {
    if (self == nullptr) {
        return __real_fdopendir(fd);
    }
    begin_call("getdents", fmt::format("{}", fd), Fault::none);
    File* file = file_of(fd);
    if (file == nullptr || file->inode == nullptr || file->inode->kind != Kind::directory) {
        end_call(-ENOTDIR);
        return nullptr;
    }
    auto* listing = new Listing{.fd = fd};
    for (const auto& [name, inode] : file->inode->entries) {
        listing->names.emplace_back(view(name));
    }
    end_call(static_cast<long>(listing->names.size()));
    return reinterpret_cast<DIR*>(listing);
}
extern "C" dirent* __real_readdir(DIR*);
extern "C" dirent* __wrap_readdir(DIR* stream) {
    if (self == nullptr) {
        return __real_readdir(stream);
    }
    auto* listing = reinterpret_cast<Listing*>(stream);
    if (listing->at == listing->names.size()) {
        return nullptr;
    }
    const std::string& name = listing->names[listing->at++];
    std::memset(listing->entry.d_name, 0, sizeof listing->entry.d_name);
    std::memcpy(listing->entry.d_name, name.data(), std::min<std::size_t>(name.size(), 255));
    return &listing->entry;
}
extern "C" int __wrap_close(int fd);
extern "C" int __real_closedir(DIR*);
extern "C" int __wrap_closedir(DIR* stream) {
    if (self == nullptr) {
        return __real_closedir(stream);
    }
    auto* listing = reinterpret_cast<Listing*>(stream);
    const int fd = listing->fd;
    delete listing;
    return __wrap_close(fd);
}

// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
