// Which descriptors are ready.

#include <fcntl.h>
#include <poll.h>

#include "sim/world.h"

namespace knarr::sim {

namespace {

constexpr std::size_t kPipeAtomic = 4096;

unsigned of_pipe(const File& file) {
    const Pipe& pipe = *file.pipe;
    unsigned ready = 0;
    const int access = file.flags & O_ACCMODE;
    if (access != O_WRONLY) {
        ready |= pipe.bytes.empty() ? 0U : static_cast<unsigned>(POLLIN);
        const bool left = pipe.writers == 0 && pipe.opened_to_write != file.awaits_writer;
        ready |= left ? static_cast<unsigned>(POLLHUP) : 0U;
    }
    if (access != O_RDONLY) {
        ready |=
            pipe.bytes.size() + kPipeAtomic <= pipe.capacity ? static_cast<unsigned>(POLLOUT) : 0U;
        ready |= pipe.readers == 0 ? static_cast<unsigned>(POLLERR) : 0U;
    }
    return ready;
}

unsigned of_socket(const Socket& socket) {
    const bool hung_up = socket.connected && socket.peer == nullptr;
    unsigned ready = 0;
    if (!socket.inbox.empty() || !socket.backlog.empty() || hung_up) {
        ready |= POLLIN;
    }
    if (hung_up) {
        ready |= static_cast<unsigned>(POLLHUP) | static_cast<unsigned>(POLLRDHUP);
    }
    constexpr std::size_t kMaxPackets = 200;
    if (socket.peer == nullptr || socket.peer->inbox.size() < kMaxPackets) {
        ready |= POLLOUT;
    }
    return ready;
}

}  // namespace

unsigned readiness(const File& file) {
    switch (file.kind) {
        case FileKind::pipe:
            return of_pipe(file);
        case FileKind::socket:
            return of_socket(*file.socket);
        case FileKind::pidfd:
            return file.process->life == Life::reaped
                       ? static_cast<unsigned>(POLLIN) | static_cast<unsigned>(POLLHUP)
                   : is_alive(*file.process) ? 0U
                                             : static_cast<unsigned>(POLLIN);
        case FileKind::signals:
            return (self->pending & file.signals) != 0 ? static_cast<unsigned>(POLLIN) : 0U;
        case FileKind::master:
        case FileKind::slave:
            return terminal_readiness(file);
        case FileKind::timer:
            return file.expires >= 0 && file.expires <= world->now ? static_cast<unsigned>(POLLIN)
                                                                   : 0U;
        case FileKind::events:
        case FileKind::inotify:
            return file.count > 0 ? static_cast<unsigned>(POLLIN) : 0U;
        case FileKind::inode:
        case FileKind::other:
            break;
    }
    return static_cast<unsigned>(POLLIN) | static_cast<unsigned>(POLLOUT);
}

void add_channels(const File& file, List<Channel>& channels) {
    channels.push_back(&file);
    if (file.pipe != nullptr) {
        channels.push_back(file.pipe);
    }
    if (file.socket != nullptr) {
        channels.push_back(file.socket);
        if (file.socket->peer != nullptr) {
            channels.push_back(file.socket->peer);  // room in its inbox
        }
    }
    if (file.terminal != nullptr) {
        channels.push_back(file.terminal);
    }
    if (file.process != nullptr) {
        channels.push_back(file.process);
    }
}

}  // namespace knarr::sim
