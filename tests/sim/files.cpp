// Open files: descriptors, reading and writing.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>

#include "sim/world.h"

namespace knarr::sim {

File* file_of(int fd) {
    const auto found = self->files.find(fd);
    return found == self->files.end() ? nullptr : found->second.file;
}

int install(File* file, bool close_on_exec, int lowest) {
    int number = lowest;
    for (auto at = self->files.lower_bound(lowest); at != self->files.end() && at->first == number;
         ++at) {
        ++number;
    }
    ++file->references;
    self->files[number] = Descriptor{.file = file, .close_on_exec = close_on_exec};
    return number;
}

namespace {

void close_socket(Socket& socket) {
    socket.shut = true;
    if (socket.peer != nullptr) {
        wake(socket.peer);
        socket.peer->peer = nullptr;
        socket.peer = nullptr;
    }
    for (Socket* waiting : socket.backlog) {
        if (waiting->peer != nullptr) {
            waiting->peer->peer = nullptr;
            wake(waiting->peer);
        }
    }
    for (const PacketData& packet : socket.inbox) {
        for (File* file : packet.files) {
            drop(file);
        }
    }
    socket.inbox.clear();
    socket.backlog.clear();
    wake(&socket);
}

void close_file(File* file) {
    --world->files_open;
    if (file->pipe != nullptr) {
        const int access = file->flags & O_ACCMODE;
        file->pipe->readers -= access != O_WRONLY ? 1 : 0;
        file->pipe->writers -= access != O_RDONLY ? 1 : 0;
        wake(file->pipe);
        if (file->pipe->readers == 0 && file->pipe->writers == 0) {
            file->pipe->bytes.clear();
        }
    }
    if (file->terminal != nullptr) {
        close_terminal(file);
    }
    if (file->socket != nullptr) {
        close_socket(*file->socket);
    }
    if (file->inode != nullptr && std::erase_if(file->inode->locks, [&](const FileLock& lock) {
                                      return lock.holder == file;
                                  }) > 0) {
        wake(file->inode);
    }
}

}  // namespace

void drop(File* file) {
    if (--file->references == 0) {
        close_file(file);
    }
}

void close_all(Process& process) {
    Map<int, Descriptor> files;
    files.swap(process.files);
    for (const auto& [number, entry] : files) {
        drop(entry.file);
    }
}

namespace {

long read_pipe(File* file, char* to, std::size_t bytes) {
    Pipe& pipe = *file->pipe;
    while (pipe.bytes.empty()) {
        if (pipe.writers == 0) {
            return 0;
        }
        if ((file->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        if (interrupted()) {
            return -EINTR;
        }
        wait_on({&pipe}, -1);
    }
    const std::size_t count = std::min(bytes, pipe.bytes.size());
    const auto end = pipe.bytes.begin() + static_cast<std::ptrdiff_t>(count);
    std::copy(pipe.bytes.begin(), end, to);
    pipe.bytes.erase(pipe.bytes.begin(), end);
    wake(&pipe);
    return static_cast<long>(count);
}

long write_pipe(File* file, const char* from, std::size_t bytes) {
    Pipe& pipe = *file->pipe;
    std::size_t done = 0;
    while (done < bytes) {
        if (pipe.readers == 0) {
            if ((self->ignored & (std::uint64_t{1} << SIGPIPE)) == 0) {
                send_signal(*self, SIGPIPE);
            }
            return -EPIPE;
        }
        const std::size_t room = pipe.capacity - std::min(pipe.capacity, pipe.bytes.size());
        const std::size_t count = std::min(room, bytes - done);
        if (count == 0) {
            if ((file->flags & O_NONBLOCK) != 0 || interrupted()) {
                const int error = interrupted() ? EINTR : EAGAIN;
                return done > 0 ? static_cast<long>(done) : -error;
            }
            wait_on({&pipe}, -1);
            continue;
        }
        pipe.bytes.insert(pipe.bytes.end(), from + done, from + done + count);
        done += count;
        wake(&pipe);
    }
    return static_cast<long>(done);
}

long read_count(File* file, char* to, std::size_t bytes) {
    if (bytes < sizeof file->count) {
        return -EINVAL;
    }
    while (file->count == 0) {
        if ((file->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        wait_on({file}, -1);
    }
    std::memcpy(to, &file->count, sizeof file->count);
    file->count = 0;
    return sizeof file->count;
}

long read_bytes(std::string_view all, char* to, std::size_t bytes, std::uint64_t from) {
    if (from >= all.size()) {
        return 0;
    }
    const std::size_t count = std::min<std::size_t>(bytes, all.size() - from);
    std::memcpy(to, all.data() + from, count);
    return static_cast<long>(count);
}

}  // namespace

long read_from(File* file, char* to, std::size_t bytes, std::int64_t at) {
    switch (file->kind) {
        case FileKind::pipe:
            return read_pipe(file, to, bytes);
        case FileKind::master:
        case FileKind::slave:
            return read_terminal(file, to, bytes);
        case FileKind::timer: {
            if (file->expires < 0 || file->expires > world->now) {
                return -EAGAIN;
            }
            file->expires = -1;
            const std::uint64_t once = 1;
            std::memcpy(to, &once, std::min(bytes, sizeof once));
            return sizeof once;
        }
        case FileKind::events:
            return read_count(file, to, bytes);
        case FileKind::inotify: {
            if (file->count == 0) {
                return -EAGAIN;
            }
            file->count = 0;
            std::memset(to, 0, std::min<std::size_t>(bytes, 16));
            return 16;
        }
        case FileKind::inode:
            break;
        default:
            return -EINVAL;
    }
    if ((file->flags & O_PATH) != 0 || (file->flags & O_ACCMODE) == O_WRONLY) {
        return -EBADF;
    }
    if (file->inode->kind == Kind::directory) {
        return -EISDIR;
    }
    if (file->inode->kind == Kind::device) {
        return 0;
    }
    if (file->inode->kind == Kind::cgroup_file && (at == 0 || (at < 0 && file->position == 0))) {
        file->text = read_cgroup_file(*file->inode);
        file->made_up = true;
    }
    const std::uint64_t from = at >= 0 ? static_cast<std::uint64_t>(at) : file->position;
    const std::string_view all = file->made_up ? view(file->text) : view(file->inode->data);
    const long got = read_bytes(all, to, bytes, from);
    if (at < 0) {
        file->position += static_cast<std::uint64_t>(got);
    }
    return got;
}

long write_to(File* file, const char* from, std::size_t bytes, std::int64_t at) {
    switch (file->kind) {
        case FileKind::pipe:
            return write_pipe(file, from, bytes);
        case FileKind::master:
        case FileKind::slave:
            return write_terminal(file, from, bytes);
        case FileKind::events: {
            std::uint64_t more = 0;
            std::memcpy(&more, from, std::min(bytes, sizeof more));
            file->count += more;
            wake(file);
            return static_cast<long>(bytes);
        }
        case FileKind::inode:
            break;
        default:
            return -EINVAL;
    }
    if ((file->flags & O_PATH) != 0 || (file->flags & O_ACCMODE) == O_RDONLY) {
        return -EBADF;
    }
    Inode& inode = *file->inode;
    if (inode.kind == Kind::device) {
        return static_cast<long>(bytes);
    }
    if (inode.kind == Kind::cgroup_file) {
        const int failed = write_cgroup_file(inode, {from, bytes});
        return failed != 0 ? failed : static_cast<long>(bytes);
    }
    std::uint64_t place = at >= 0 ? static_cast<std::uint64_t>(at) : file->position;
    if ((file->flags & O_APPEND) != 0) {
        place = inode.data.size();
    }
    if (inode.data.size() < place + bytes) {
        if (world->disk_full && !inode.name.starts_with(kMemoryFile)) {
            return -ENOSPC;
        }
        inode.data.resize(place + bytes);
    }
    std::memcpy(inode.data.data() + place, from, bytes);
    if (at < 0) {
        file->position = place + bytes;
    }
    inode.changed = world->now;
    if (inode.parent != nullptr) {
        tell_watchers(inode.parent);
    }
    return static_cast<long>(bytes);
}

}  // namespace knarr::sim
