// System calls on descriptors.

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <span>

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

namespace {

long duplicate(int fd, int lowest, bool close_on_exec) {
    File* file = file_of(fd);
    return file == nullptr ? -EBADF : install(file, close_on_exec, lowest);
}

long close_number(int fd) {
    const auto found = self->files.find(fd);
    if (found == self->files.end()) {
        return -EBADF;
    }
    File* file = found->second.file;
    self->files.erase(found);
    drop(file);
    return 0;
}

long put_at(int from, int to, bool close_on_exec) {
    File* file = file_of(from);
    if (file == nullptr) {
        return -EBADF;
    }
    if (from == to) {
        return to;
    }
    close_number(to);
    ++file->references;
    self->files[to] = Descriptor{.file = file, .close_on_exec = close_on_exec};
    return to;
}

long try_flock(File* file, int operation) {
    auto& locks = file->inode->locks;
    const bool exclusive = (operation & LOCK_EX) != 0;
    const bool in_the_way =
        !world->settings.lost_locks && std::ranges::any_of(locks, [&](const FileLock& lock) {
            return lock.holder != file && (exclusive || lock.exclusive);
        });
    const bool had =
        std::erase_if(locks, [&](const FileLock& lock) { return lock.holder == file; }) > 0;
    if (had) {
        wake(file->inode);
    }
    if (in_the_way) {
        return -EWOULDBLOCK;
    }
    locks.push_back({.holder = file, .exclusive = exclusive});
    return 0;
}

long do_flock(int fd, int operation) {
    File* file = file_of(fd);
    if (file == nullptr || file->inode == nullptr) {
        return -EBADF;
    }
    if ((operation & LOCK_UN) != 0) {
        std::erase_if(file->inode->locks,
                      [&](const FileLock& lock) { return lock.holder == file; });
        wake(file->inode);
        return 0;
    }
    while (true) {
        const long done = try_flock(file, operation);
        if (done == 0 || (operation & LOCK_NB) != 0) {
            return done;
        }
        if (interrupted()) {
            return -EINTR;
        }
        wait_on({file->inode}, -1);
    }
}

/// From a terminal's master into a pipe.
long splice_terminal(File* from, File* to, std::size_t max) {
    Pipe& pipe = *to->pipe;
    const std::size_t room = pipe.capacity - std::min(pipe.capacity, pipe.bytes.size());
    if (room == 0) {
        return -EAGAIN;
    }
    std::string bytes(std::min({room, max, std::size_t{4096}}), '\0');
    const long got = read_terminal(from, bytes.data(), bytes.size());
    if (got > 0) {
        pipe.bytes.insert(pipe.bytes.end(), bytes.begin(), bytes.begin() + got);
        wake(&pipe);
    }
    return got;
}

long splice_once(File* from, File* to, loff_t* at, std::size_t max) {
    if (from->kind == FileKind::master && to->pipe != nullptr) {
        return splice_terminal(from, to, max);
    }
    if (from->pipe == nullptr || to->inode == nullptr || to->kind != FileKind::inode) {
        return -EINVAL;
    }
    Pipe& pipe = *from->pipe;
    if (pipe.bytes.empty()) {
        return pipe.writers == 0 ? 0 : -EAGAIN;
    }
    const std::size_t count = std::min(max, pipe.bytes.size());
    const auto end = pipe.bytes.begin() + static_cast<std::ptrdiff_t>(count);
    const std::string bytes(pipe.bytes.begin(), end);
    const std::int64_t place = at != nullptr ? *at : -1;
    const bool loses = world->settings.lossy_splice && bytes.size() > 1;
    const long written = write_to(to, bytes.data(), loses ? count - 1 : count, place);
    if (written < 0) {
        return written;
    }
    pipe.bytes.erase(pipe.bytes.begin(), end);
    wake(&pipe);
    if (at != nullptr) {
        *at += written;
    }
    return written;
}

long do_poll(pollfd* items, nfds_t count, int timeout) {
    const std::int64_t end = timeout < 0 ? -1 : world->now + std::int64_t{timeout} * 1'000'000;
    while (true) {
        int ready = 0;
        std::int64_t deadline = end;
        List<Channel> channels;
        for (pollfd& item : std::span(items, count)) {
            item.revents = 0;
            if (item.fd < 0) {
                continue;
            }
            File* file = file_of(item.fd);
            const unsigned always = static_cast<unsigned>(POLLHUP) | static_cast<unsigned>(POLLERR);
            const unsigned bits =
                file == nullptr ? static_cast<unsigned>(POLLNVAL)
                                : readiness(*file) & (static_cast<unsigned>(item.events) | always);
            item.revents = static_cast<short>(bits);
            ready += bits != 0 ? 1 : 0;
            if (file != nullptr) {
                add_channels(*file, channels);
                if (file->expires >= 0) {
                    deadline = deadline < 0 ? file->expires : std::min(deadline, file->expires);
                }
            }
        }
        if (ready > 0) {
            return ready;
        }
        if (interrupted()) {
            return -EINTR;
        }
        if (!wait_on(channels, deadline) && end >= 0 && world->now >= end) {
            return 0;
        }
    }
}

long do_fcntl(int fd, int command, long value) {
    File* file = file_of(fd);
    if (file == nullptr) {
        return -EBADF;
    }
    Descriptor& entry = self->files[fd];
    switch (command) {
        case F_DUPFD_CLOEXEC:
            return duplicate(fd, static_cast<int>(value), true);
        case F_DUPFD:
            return duplicate(fd, static_cast<int>(value), false);
        case F_GETFD:
            return entry.close_on_exec ? FD_CLOEXEC : 0;
        case F_SETFD:
            entry.close_on_exec = (value & FD_CLOEXEC) != 0;
            return 0;
        case F_GETFL:
            return file->flags;
        case F_SETFL:
            file->flags = (file->flags & ~O_NONBLOCK) | static_cast<int>(value & O_NONBLOCK);
            return 0;
        case F_SETPIPE_SZ:
            if (file->pipe != nullptr) {
                file->pipe->capacity = static_cast<std::size_t>(value);
            }
            return value;
        case F_ADD_SEALS:
            return 0;
        case F_GET_SEALS:
            return F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
        default:
            not_simulated(fmt::format("fcntl {}", command).c_str());
    }
}

/// struct pidfd_info of include/uapi/linux/pidfd.h.
struct PidfdInfo {
    std::uint64_t mask, cgroup;
    std::uint32_t ids[11];
    std::int32_t exit_code;
};

long do_ioctl(int fd, unsigned long request, void* argument) {
    File* file = file_of(fd);
    if (file == nullptr) {
        return -EBADF;
    }
    constexpr unsigned long kPidfdInfo = _IOWR(0xFF, 11, PidfdInfo);
    constexpr std::uint64_t kExit = 8;
    if (request == FIONREAD && file->pipe != nullptr) {
        const int count = static_cast<int>(file->pipe->bytes.size());
        std::memcpy(argument, &count, sizeof count);
        return 0;
    }
    if (request == kPidfdInfo && file->process != nullptr) {
        auto* info = static_cast<PidfdInfo*>(argument);
        const bool told = file->process->life == Life::reaped;
        info->mask = told ? kExit : 0;
        info->exit_code = file->process->status;
        return told || file->process->life != Life::reaped ? 0 : -ESRCH;
    }
    return terminal_ioctl(file, request, argument);
}

}  // namespace

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

SIM_WRAP(int, close, (int fd), (fd)) {
    // No moment at which others run: only its end may wake somebody.
    const long closed = close_number(fd);
    if (closed < 0) {
        errno = static_cast<int>(-closed);
        return -1;
    }
    return 0;
}
SIM_WRAP(ssize_t, read, (int fd, void* to, size_t bytes), (fd, to, bytes)) {
    SIM_ENTER("read", none, "{}", fd);
    File* file = file_of(fd);
    if (file == nullptr) {
        return end_call(-EBADF);
    }
    if (file->kind == FileKind::signals) {
        const std::uint64_t ready = self->pending & file->signals;
        if (ready == 0) {
            return end_call(-EAGAIN);
        }
        const int number = std::countr_zero(ready);
        self->pending &= ~(std::uint64_t{1} << static_cast<unsigned>(number));
        signalfd_siginfo info{};
        info.ssi_signo = static_cast<unsigned>(number);
        std::memcpy(to, &info, sizeof info);
        return end_call(sizeof info);
    }
    return end_call(read_from(file, static_cast<char*>(to), bytes, -1));
}
SIM_WRAP(ssize_t, pread, (int fd, void* to, size_t bytes, off_t at), (fd, to, bytes, at)) {
    SIM_ENTER("pread", disk, "{} {}", fd, at);
    File* file = file_of(fd);
    return end_call(file == nullptr ? -EBADF : read_from(file, static_cast<char*>(to), bytes, at));
}
SIM_WRAP(ssize_t, write, (int fd, const void* from, size_t bytes), (fd, from, bytes)) {
    SIM_ENTER("write", disk, "{} {}", fd, bytes);
    File* file = file_of(fd);
    return end_call(file == nullptr ? -EBADF
                                    : write_to(file, static_cast<const char*>(from), bytes, -1));
}
SIM_WRAP(ssize_t,
         pwrite,
         (int fd, const void* from, size_t bytes, off_t at),
         (fd, from, bytes, at)) {
    SIM_ENTER("pwrite", disk, "{} {} {}", fd, bytes, at);
    File* file = file_of(fd);
    return end_call(file == nullptr ? -EBADF
                                    : write_to(file, static_cast<const char*>(from), bytes, at));
}
SIM_WRAP(ssize_t,
         splice,
         (int from, loff_t* from_at, int to, loff_t* to_at, size_t max, unsigned flags),
         (from, from_at, to, to_at, max, flags)) {
    SIM_ENTER("splice", disk, "{} {} {} {}", from, to, max, flags + (from_at != nullptr ? 1U : 0U));
    File* source = file_of(from);
    File* target = file_of(to);
    return end_call(
        source == nullptr || target == nullptr ? -EBADF : splice_once(source, target, to_at, max));
}
// A file is mapped whole, and where its bytes lie: every process has the arena.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" void* __real_mmap(void* at, size_t bytes, int prot, int flags, int fd, off_t from);
extern "C" void* __wrap_mmap(void* at, size_t bytes, int prot, int flags, int fd, off_t from);
void* __wrap_mmap(void* at, size_t bytes, int prot, int flags, int fd, off_t from) {
    if (self == nullptr || fd < 0) {
        return __real_mmap(at, bytes, prot, flags, fd, from);
    }
    const File* file = file_of(fd);
    if (file == nullptr || file->inode == nullptr || flags != MAP_SHARED || from != 0) {
        errno = ENODEV;
        return MAP_FAILED;
    }
    file->inode->data.reserve(bytes);  // stays where it is while the file is no longer than that
    return file->inode->data.data();
}
extern "C" int __real_munmap(void* at, size_t bytes);
extern "C" int __wrap_munmap(void* at, size_t bytes);
int __wrap_munmap(void* at, size_t bytes) {
    return is_in_arena(at) ? 0 : __real_munmap(at, bytes);
}
// NOLINTEND(bugprone-reserved-identifier)
SIM_WRAP(int, poll, (pollfd * items, nfds_t count, int timeout), (items, count, timeout)) {
    SIM_ENTER("poll", none, "{} {}", count, timeout);
    return end_call(do_poll(items, count, timeout));
}
SIM_WRAP(int, flock, (int fd, int operation), (fd, operation)) {
    SIM_ENTER("flock", none, "{} {}", fd, operation);
    return end_call(do_flock(fd, operation));
}
SIM_WRAP(int, pipe2, (int* ends, int flags), (ends, flags)) {
    SIM_ENTER("pipe2", descriptors, "{}", flags);
    auto* pipe = make<Pipe>();
    const bool close_on_exec = (flags & O_CLOEXEC) != 0;
    for (const int access : {O_RDONLY, O_WRONLY}) {
        File* file = new_file(FileKind::pipe, access | (flags & O_NONBLOCK));
        file->pipe = pipe;
        ends[access == O_RDONLY ? 0 : 1] = install(file, close_on_exec);
    }
    pipe->readers = pipe->writers = 1;
    return end_call(0);
}
SIM_WRAP(int, dup2, (int from, int to), (from, to)) {
    SIM_ENTER("dup2", none, "{} {}", from, to);
    return end_call(put_at(from, to, false));
}
SIM_WRAP(int, dup3, (int from, int to, int flags), (from, to, flags)) {
    SIM_ENTER("dup3", none, "{} {}", from, to);
    return end_call(put_at(from, to, (flags & O_CLOEXEC) != 0));
}
SIM_WRAP(int, memfd_create, (const char* name, unsigned flags), (name, flags)) {
    SIM_ENTER("memfd_create", descriptors, "{}", name);
    File* file = new_file(FileKind::inode, O_RDWR);
    file->inode = new_inode(Kind::regular, S_IFREG | 0777);
    file->inode->name = Text(kMemoryFile) + name;
    return end_call(install(file, (flags & MFD_CLOEXEC) != 0));
}
SIM_WRAP(int, eventfd, (unsigned count, int flags), (count, flags)) {
    SIM_ENTER("eventfd", descriptors, "{}", count);
    File* file = new_file(FileKind::events, O_RDWR | (flags & O_NONBLOCK));
    file->count = count;
    return end_call(install(file, true));
}
SIM_WRAP(int, inotify_init1, (int flags), (flags)) {
    SIM_ENTER("inotify_init1", descriptors, "{}", flags);
    return end_call(install(new_file(FileKind::inotify, O_RDONLY | (flags & O_NONBLOCK)), true));
}
SIM_WRAP(int, signalfd, (int fd, const sigset_t* mask, int flags), (fd, mask, flags)) {
    SIM_ENTER("signalfd", descriptors, "{}", fd);
    File* file = new_file(FileKind::signals, O_RDONLY | (flags & O_NONBLOCK));
    for (int number = 1; number < 64; ++number) {
        if (sigismember(mask, number) == 1) {
            file->signals |= std::uint64_t{1} << static_cast<unsigned>(number);
        }
    }
    return end_call(install(file, true));
}
SIM_WRAP(off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence)) {
    SIM_ENTER("lseek", none, "{} {} {}", fd, at, whence);
    File* file = file_of(fd);
    if (file == nullptr || file->inode == nullptr) {
        return end_call(file == nullptr ? -EBADF : -ESPIPE);
    }
    const auto size = static_cast<off_t>(file->inode->data.size());
    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        return end_call(at >= size ? -ENXIO : whence == SEEK_DATA ? at : size);
    }
    const off_t base = whence == SEEK_SET   ? 0
                       : whence == SEEK_END ? size
                                            : static_cast<off_t>(file->position);
    file->position = static_cast<std::uint64_t>(base + at);
    return end_call(base + at);
}
SIM_WRAP(int, ftruncate, (int fd, off_t size), (fd, size)) {
    SIM_ENTER("ftruncate", disk, "{} {}", fd, size);
    File* file = file_of(fd);
    if (file == nullptr || file->inode == nullptr) {
        return end_call(-EBADF);
    }
    file->inode->data.resize(static_cast<std::size_t>(size));
    return end_call(0);
}
SIM_WRAP(int, fallocate, (int fd, int mode, off_t at, off_t bytes), (fd, mode, at, bytes)) {
    SIM_ENTER("fallocate", none, "{} {} {}", fd, at, bytes);
    File* file = file_of(fd);
    if (file == nullptr || file->inode == nullptr || (mode & FALLOC_FL_PUNCH_HOLE) == 0) {
        return end_call(-EOPNOTSUPP);
    }
    Text& data = file->inode->data;
    for (off_t i = at; i < at + bytes && i < static_cast<off_t>(data.size()); ++i) {
        data[static_cast<std::size_t>(i)] = '\0';
    }
    return end_call(0);
}
SIM_WRAP(int, fsync, (int fd), (fd)) {
    SIM_ENTER("fsync", disk, "{}", fd);
    File* file = file_of(fd);
    if (file != nullptr && file->inode != nullptr) {
        sync_inode(*file->inode);
    }
    return end_call(file == nullptr ? -EBADF : 0);
}
SIM_WRAP(int, syncfs, (int fd), (fd)) {
    SIM_ENTER("syncfs", disk, "{}", fd);
    sync_tree(*world->root->entries.at("var"));
    return end_call(0);
}
SIM_WRAP(int,
         sync_file_range,
         (int fd, off_t at, off_t bytes, unsigned flags),
         (fd, at, bytes, flags)) {
    SIM_ENTER("sync_file_range", none, "{} {} {} {}", fd, at, bytes, flags);
    return end_call(0);
}
SIM_WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode)) {
    SIM_ENTER("fchmod", none, "{} {:o}", fd, mode);
    File* file = file_of(fd);
    if (file != nullptr && file->inode != nullptr) {
        file->inode->mode = (file->inode->mode & S_IFMT) | mode;
    }
    return end_call(file == nullptr ? -EBADF : 0);
}
SIM_WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid)) {
    SIM_ENTER("fchown", none, "{} {} {}", fd, uid, gid);
    return end_call(file_of(fd) == nullptr ? -EBADF : 0);
}
extern "C" int __real_fcntl(int, int, ...);
extern "C" int __wrap_fcntl(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    const long value = va_arg(more, long);
    va_end(more);
    if (self == nullptr) {
        return __real_fcntl(fd, command, value);
    }
    const int shown = static_cast<int>(value);
    SIM_ENTER("fcntl",
              none,
              "{} {} {}",
              fd,
              command,
              command == F_GETFD || command == F_GETFL || command == F_GET_SEALS ? 0 : shown);
    return static_cast<int>(end_call(do_fcntl(fd, command, shown)));
}
extern "C" int __real_ioctl(int, unsigned long, ...);
extern "C" int __wrap_ioctl(int fd, unsigned long request, ...) {
    va_list more;
    va_start(more, request);
    void* argument = va_arg(more, void*);
    va_end(more);
    if (self == nullptr) {
        return __real_ioctl(fd, request, argument);
    }
    SIM_ENTER("ioctl", none, "{} {:x}", fd, request);
    return static_cast<int>(end_call(do_ioctl(fd, request, argument)));
}

// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
