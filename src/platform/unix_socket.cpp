#include "platform/unix_socket.h"

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/socket.h"

namespace knarr::sys {

namespace {

Result<sockaddr_un> address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return fail(Errc::invalid_argument,
                    "socket path {} is longer than {} bytes",
                    printable(path),
                    sizeof address.sun_path - 1);
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
}

/// A longer path than an address holds is opened first, and the address names the descriptor.
Result<Fd> connect_to(const std::string& path,
                      int type,
                      std::chrono::milliseconds limit = std::chrono::milliseconds(0)) {
    if (path.size() >= sizeof sockaddr_un{}.sun_path) {
        const Fd socket = KNARR_TRY(open_path(path, O_PATH), "connect to");
        return connect_to(fd_path(socket), type, limit);
    }
    const sockaddr_un address = KNARR_TRY(address_of(path));
    Fd fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    if (!fd.valid()) {
        return fail_errno(errno, "socket");
    }
    // For a stream socket it bounds connect(2) too, which waits for room in the backlog.
    const timeval most{.tv_sec = limit.count() / 1000, .tv_usec = limit.count() % 1000 * 1000};
    if (limit.count() > 0 &&
        setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most) != 0) {
        return fail_errno(errno, "SO_SNDTIMEO");
    }
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail_errno(errno, "connect to {}", printable(path));
    }
    return fd;
}

}  // namespace

Result<Fd> listen_at(const Fd& dir, const std::string& name) {
    const sockaddr_un address = KNARR_TRY(address_of(fd_path(dir) + "/" + name));
    Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!fd.valid()) {
        return fail_errno(errno, "socket");
    }
    KNARR_TRY(unlink_at(dir, name));
    // The mode of the socket file is that of the descriptor, less the umask.
    if (fchmod(fd.get(), 0600) != 0 ||
        bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return fail_errno(errno, "bind {}", name);
    }
    if (listen(fd.get(), 4) != 0) {
        return fail_errno(errno, "listen on {}", name);
    }
    return fd;
}

Result<uid_t> peer_user(const Fd& socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return fail_errno(errno, "SO_PEERCRED");
    }
    return peer.uid;
}

Result<Fd> accept_owner(const Fd& listener, uid_t owner) {
    while (true) {
        Fd client(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!client.valid()) {
            if (errno == EINTR || errno == ECONNABORTED) {
                continue;
            }
            return fail_errno(errno, "accept");
        }
        const Result<uid_t> peer = peer_user(client);
        if (peer && (*peer == 0 || *peer == owner)) {
            return client;
        }
    }
}

Result<Fd> connect_at(const Fd& dir, const std::string& name) {
    return connect_to(fd_path(dir) + "/" + name, SOCK_SEQPACKET);
}

Result<Fd> connect_at_once(const Fd& dir, const std::string& name) {
    return connect_to(fd_path(dir) + "/" + name, SOCK_SEQPACKET | SOCK_NONBLOCK);
}

Result<Fd> connect_stream(const std::string& path) {
    return connect_to(path, SOCK_STREAM);
}

Result<Fd> connect_stream_within(const std::string& path, std::chrono::milliseconds limit) {
    Result<Fd> fd = connect_to(path, SOCK_STREAM, limit);
    if (!fd && fd.error().sys_errno == EAGAIN) {
        return fail(Errc::timed_out, "connect to {}: nobody answers", printable(path));
    }
    return fd;
}

Result<> send_bytes(const Fd& socket, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t put = send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (put >= 0) {
            bytes.remove_prefix(static_cast<std::size_t>(put));
        } else if (errno == EAGAIN) {
            return fail(Errc::timed_out, "send: the other side does not read");
        } else if (errno != EINTR) {
            return fail_errno(errno, "send");
        }
    }
    return {};
}

Result<Fd> bind_datagram_at(const Fd& dir, const std::string& name) {
    const std::string path = fd_path(dir) + "/" + name;
    const sockaddr_un address = KNARR_TRY(address_of(path));
    Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) {
        return fail_errno(errno, "socket");
    }
    KNARR_TRY(unlink_at(dir, name));
    if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        fchmodat(dir.get(), name.c_str(), 0777, 0) != 0) {
        return fail_errno(errno, "bind {}", name);
    }
    return fd;
}

Result<Fd> connect_datagram(const std::string& path) {
    if (!path.starts_with('@')) {
        return connect_to(path, SOCK_DGRAM);
    }
    sockaddr_un address = KNARR_TRY(address_of(path));
    address.sun_path[0] = '\0';
    Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (!fd.valid() || connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
        return fail_errno(errno, "connect to {}", printable(path));
    }
    return fd;
}

Result<> send_terminal(const Fd& socket, const Fd& master, const std::string& name) {
    return send_packet(socket, name, &master);
}

}  // namespace knarr::sys
