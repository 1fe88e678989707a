// Local sockets: packets with descriptors, by pairs and by names.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

namespace {

constexpr std::size_t kMaxPackets = 200;

File* socket_file(int type) {
    File* file =
        new_file(FileKind::socket, O_RDWR | ((type & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0));
    file->socket = make<Socket>();
    file->socket->type = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
    file->socket->owner = self;
    return file;
}

Socket* socket_of(int fd) {
    File* file = file_of(fd);
    return file == nullptr ? nullptr : file->socket;
}

void join(Socket& one, Socket& other) {
    one.peer = &other;
    other.peer = &one;
    one.connected = other.connected = true;
}

bool never_blocks(int fd, int flags) {
    return (flags & MSG_DONTWAIT) != 0 || (file_of(fd)->flags & O_NONBLOCK) != 0;
}

std::string bytes_of(const msghdr& message) {
    std::string bytes;
    for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
        bytes.append(static_cast<const char*>(message.msg_iov[i].iov_base),
                     message.msg_iov[i].iov_len);
    }
    return bytes;
}

int take_files(const msghdr& message, PacketData& packet) {
    auto* all = const_cast<msghdr*>(&message);
    for (cmsghdr* header = CMSG_FIRSTHDR(all); header != nullptr;
         header = CMSG_NXTHDR(all, header)) {
        if (header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            File* file = file_of(fd);
            if (file == nullptr) {
                return -EBADF;
            }
            packet.files.push_back(file);
        }
    }
    for (File* file : packet.files) {
        ++file->references;
    }
    return 0;
}

long do_send(int fd, const msghdr& message, int flags) {
    Socket* socket = socket_of(fd);
    if (socket == nullptr) {
        return -ENOTSOCK;
    }
    while (socket->peer != nullptr && socket->peer->inbox.size() >= kMaxPackets) {
        if (never_blocks(fd, flags)) {
            return -EAGAIN;
        }
        if (interrupted()) {
            return -EINTR;
        }
        wait_on({socket, socket->peer}, -1);
    }
    if (socket->peer == nullptr) {
        return socket->connected ? -EPIPE : -ENOTCONN;
    }
    PacketData packet;
    const int failed = take_files(message, packet);
    if (failed != 0) {
        return failed;
    }
    packet.bytes = Text(bytes_of(message));
    const auto count = static_cast<long>(packet.bytes.size());
    socket->peer->inbox.push_back(std::move(packet));
    wake(socket->peer);
    return count;
}

/// Puts what fits; the rest of the descriptors is closed, as in the kernel.
void give_files(msghdr& message, const List<File*>& files, bool close_on_exec) {
    const std::size_t room = message.msg_controllen > CMSG_LEN(0)
                                 ? (message.msg_controllen - CMSG_LEN(0)) / sizeof(int)
                                 : 0;
    const std::size_t count = std::min(room, files.size());
    for (std::size_t i = count; i < files.size(); ++i) {
        drop(files[i]);
        message.msg_flags |= MSG_CTRUNC;
    }
    if (count == 0) {
        message.msg_controllen = 0;
        return;
    }
    auto* header = static_cast<cmsghdr*>(message.msg_control);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (std::size_t i = 0; i < count; ++i) {
        const int fd = install(files[i], close_on_exec);
        --files[i]->references;  // the packet's
        std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    }
    message.msg_controllen = header->cmsg_len;
}

long do_receive(int fd, msghdr& message, int flags) {
    Socket* socket = socket_of(fd);
    if (socket == nullptr) {
        return -ENOTSOCK;
    }
    while (socket->inbox.empty()) {
        if (socket->peer == nullptr) {
            message.msg_controllen = 0;
            message.msg_flags = 0;
            return socket->connected ? 0 : -ENOTCONN;
        }
        if (never_blocks(fd, flags)) {
            return -EAGAIN;
        }
        if (interrupted()) {
            return -EINTR;
        }
        wait_on({socket}, -1);
    }
    PacketData& packet = socket->inbox.front();
    message.msg_flags = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < message.msg_iovlen && at < packet.bytes.size(); ++i) {
        const std::size_t count = std::min(message.msg_iov[i].iov_len, packet.bytes.size() - at);
        std::memcpy(message.msg_iov[i].iov_base, packet.bytes.data() + at, count);
        at += count;
    }
    if ((flags & MSG_PEEK) != 0) {
        message.msg_controllen = 0;
        return static_cast<long>(at);
    }
    const List<File*> files = packet.files;
    const bool cut = at < packet.bytes.size();
    if (cut && socket->type == SOCK_STREAM) {
        packet.bytes.erase(0, at);
        packet.files.clear();
    } else {
        message.msg_flags |= cut ? MSG_TRUNC : 0;
        socket->inbox.pop_front();
    }
    give_files(message, files, (flags & MSG_CMSG_CLOEXEC) != 0);
    wake(socket);
    return static_cast<long>(at);
}

long find_listener(const sockaddr* address, Inode*& inode) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(address);
    Found found;
    const int failed = walk(AT_FDCWD, local->sun_path, 0, found);
    inode = found.inode;
    return failed != 0 ? failed : inode == nullptr ? -ENOENT : 0;
}

}  // namespace

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

SIM_WRAP(int, socket, (int family, int type, int protocol), (family, type, protocol)) {
    SIM_ENTER("socket", descriptors, "{} {} {}", family, type, protocol);
    if (family != AF_UNIX) {
        return end_call(-EAFNOSUPPORT);
    }
    return end_call(install(socket_file(type), (type & SOCK_CLOEXEC) != 0));
}
SIM_WRAP(int,
         socketpair,
         (int family, int type, int protocol, int* ends),
         (family, type, protocol, ends)) {
    SIM_ENTER("socketpair", descriptors, "{} {} {}", family, type, protocol);
    File* one = socket_file(type);
    File* other = socket_file(type);
    join(*one->socket, *other->socket);
    ends[0] = install(one, (type & SOCK_CLOEXEC) != 0);
    ends[1] = install(other, (type & SOCK_CLOEXEC) != 0);
    return end_call(0);
}
SIM_WRAP(int, bind, (int fd, const sockaddr* address, socklen_t size), (fd, address, size)) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(address);
    SIM_ENTER("bind", disk, "{} {}", fd, local->sun_path);
    Found found;
    int failed = walk(AT_FDCWD, local->sun_path, kNoFollow, found);
    failed = failed != 0 ? failed : found.inode != nullptr ? -EADDRINUSE : 0;
    if (failed == 0) {
        Inode* inode = new_inode(Kind::socket, S_IFSOCK | 0600);
        inode->socket = socket_of(fd);
        failed = make_entry(found.dir, found.name, inode);
    }
    return end_call(failed);
}
SIM_WRAP(int, listen, (int fd, int backlog), (fd, backlog)) {
    SIM_ENTER("listen", none, "{} {}", fd, backlog);
    socket_of(fd)->listening = true;
    return end_call(0);
}
SIM_WRAP(int, connect, (int fd, const sockaddr* address, socklen_t size), (fd, address, size)) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(address);
    SIM_ENTER("connect", none, "{} {}", fd, local->sun_path);
    Inode* inode = nullptr;
    const long failed = find_listener(address, inode);
    if (failed != 0) {
        return end_call(failed);
    }
    if (inode->kind != Kind::socket || inode->socket == nullptr || inode->socket->shut ||
        !inode->socket->listening) {
        return end_call(-ECONNREFUSED);
    }
    Socket* served = make<Socket>();
    served->type = inode->socket->type;
    served->owner = inode->socket->owner;
    join(*served, *socket_of(fd));
    inode->socket->backlog.push_back(served);
    wake(inode->socket);
    return end_call(0);
}
SIM_WRAP(int,
         accept4,
         (int fd, sockaddr* address, socklen_t* size, int flags),
         (fd, address, size, flags)) {
    SIM_ENTER("accept4", descriptors, "{} {}", fd, flags);
    Socket* socket = socket_of(fd);
    while (socket->backlog.empty()) {
        if (never_blocks(fd, 0)) {
            return end_call(-EAGAIN);
        }
        if (interrupted()) {
            return end_call(-EINTR);
        }
        wait_on({socket}, -1);
    }
    File* file =
        new_file(FileKind::socket, O_RDWR | ((flags & SOCK_NONBLOCK) != 0 ? O_NONBLOCK : 0));
    file->socket = socket->backlog.front();
    socket->backlog.pop_front();
    return end_call(install(file, (flags & SOCK_CLOEXEC) != 0));
}
SIM_WRAP(ssize_t, sendmsg, (int fd, const msghdr* message, int flags), (fd, message, flags)) {
    SIM_ENTER("sendmsg", none, "{}", fd);
    return end_call(do_send(fd, *message, flags));
}
SIM_WRAP(ssize_t, recvmsg, (int fd, msghdr* message, int flags), (fd, message, flags)) {
    SIM_ENTER("recvmsg", none, "{}", fd);
    return end_call(do_receive(fd, *message, flags));
}
SIM_WRAP(ssize_t,
         send,
         (int fd, const void* bytes, size_t size, int flags),
         (fd, bytes, size, flags)) {
    SIM_ENTER("send", none, "{} {}", fd, size);
    iovec part{.iov_base = const_cast<void*>(bytes), .iov_len = size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return end_call(do_send(fd, message, flags));
}
SIM_WRAP(ssize_t, recv, (int fd, void* bytes, size_t size, int flags), (fd, bytes, size, flags)) {
    SIM_ENTER("recv", none, "{} {}", fd, size);
    iovec part{.iov_base = bytes, .iov_len = size};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return end_call(do_receive(fd, message, flags));
}
SIM_WRAP(int,
         setsockopt,
         (int fd, int level, int option, const void* value, socklen_t size),
         (fd, level, option, value, size)) {
    return socket_of(fd) == nullptr ? -1 : 0;
}
SIM_WRAP(int,
         getsockopt,
         (int fd, int level, int option, void* value, socklen_t* size),
         (fd, level, option, value, size)) {
    SIM_ENTER("getsockopt", none, "{} {} {}", fd, level, option);
    const Socket* socket = socket_of(fd);
    if (socket == nullptr) {
        return end_call(-ENOTSOCK);
    }
    std::memset(value, 0, *size);
    if (option == SO_TYPE) {
        std::memcpy(value, &socket->type, sizeof socket->type);
    } else if (option != SO_ERROR && option != SO_PEERCRED) {
        not_simulated(fmt::format("getsockopt {}", option).c_str());
    }
    return end_call(0);
}

// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
