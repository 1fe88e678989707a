#include "platform/socket.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace knarr::sys {

Result<SocketPair> make_packet_pair(OurEnd our_end) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return fail_errno(errno, "socketpair");
    }
    SocketPair pair{.ours = Fd(ends[0]), .theirs = Fd(ends[1])};
    if (our_end == OurEnd::never_blocks) {
        KNARR_TRY(set_nonblocking(pair.ours));
    }
    return pair;
}

Result<> send_packet(const Fd& socket, std::string_view bytes, const Fd* fd) {
    // sendmsg only reads through this pointer, its type is not const for history's sake.
    iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fd != nullptr) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        const int raw = fd->get();
        std::memcpy(CMSG_DATA(header), &raw, sizeof(raw));
    }
    while (sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "sendmsg");
        }
    }
    return {};
}

Result<std::optional<Packet>> receive_packet(const Fd& socket, std::size_t max) {
    Packet packet;
    packet.bytes.resize(max);
    iovec part{.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    // The padding of CMSG_SPACE would hold a second descriptor, which nobody would close.
    message.msg_controllen = CMSG_LEN(sizeof(int));
    ssize_t got = 0;
    while ((got = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno == EAGAIN) {
            return std::optional<Packet>{};
        }
        // The other side closed with packets of ours unread. Told once; what it sent comes next.
        if (errno != EINTR && errno != ECONNRESET) {
            return fail_errno(errno, "recvmsg");
        }
    }
    // CMSG_FIRSTHDR is null unless the kernel delivered a whole header.
    if (cmsghdr* header = CMSG_FIRSTHDR(&message);
        got > 0 && header != nullptr && header->cmsg_level == SOL_SOCKET &&
        header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int))) {
        int raw = -1;
        std::memcpy(&raw, CMSG_DATA(header), sizeof(raw));
        packet.fd = Fd(raw);
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return fail(Errc::io, "receive packet: longer than {} bytes or with many descriptors", max);
    }
    packet.bytes.resize(static_cast<std::size_t>(got));
    packet.closed = got == 0;
    return std::optional<Packet>(std::move(packet));
}

Result<> set_nonblocking(const Fd& fd) {
    const int flags = fcntl(fd.get(), F_GETFL);
    if (flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
        return fail_errno(errno, "fcntl O_NONBLOCK");
    }
    return {};
}

Result<std::optional<std::size_t>> write_some(const Fd& fd, std::string_view bytes) {
    while (true) {
        const ssize_t put = write(fd.get(), bytes.data(), bytes.size());
        if (put >= 0) {
            return std::optional(static_cast<std::size_t>(put));
        }
        if (errno == EAGAIN) {
            return std::optional<std::size_t>{};
        }
        if (errno != EINTR) {
            return fail_errno(errno, "write");
        }
    }
}

Result<> write_without_signal(const Fd& fd, std::string_view bytes) {
    sigset_t pipe, before, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    if (const int error = pthread_sigmask(SIG_BLOCK, &pipe, &before); error != 0) {
        return fail_errno(error, "pthread_sigmask");
    }
    Result<> written = write_all(fd, bytes);
    if (!written && written.error().sys_errno == EPIPE && sigismember(&pending, SIGPIPE) == 0) {
        constexpr timespec kNow{};
        static_cast<void>(sigtimedwait(&pipe, nullptr, &kNow));  // none where it is ignored
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return written;
}

void ignore_broken_pipes() {
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
}

Result<> wait_ready(std::span<Ready> items, int timeout_ms) {
    std::vector<pollfd> polled;
    polled.reserve(items.size());
    for (const Ready& item : items) {
        polled.push_back({.fd = item.fd,
                          .events = static_cast<short>(item.to_write ? POLLOUT : POLLIN),
                          .revents = 0});
    }
    if (poll(polled.data(), polled.size(), timeout_ms) < 0 && errno != EINTR) {
        return fail_errno(errno, "poll");
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
        items[i].is_ready = polled[i].revents != 0;
    }
    return {};
}

Result<bool> wait_readable(const Fd& fd, Clock::Steady end) {
    constexpr std::chrono::milliseconds kLook{60'000};  // poll(2) counts no more than an int
    std::array<Ready, 1> item{{{.fd = fd.get()}}};
    while (!item[0].is_ready) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - system_clock().steady());
        if (left.count() <= 0) {
            return false;
        }
        KNARR_TRY(wait_ready(item, static_cast<int>(std::min(left, kLook).count())));
    }
    return true;
}

Result<> wait_hang_up(const Fd& socket) {
    pollfd polled{.fd = socket.get(), .events = POLLRDHUP, .revents = 0};
    while (poll(&polled, 1, -1) < 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "poll");
        }
    }
    return {};
}

void widen_pipe(const Fd& pipe, int bytes) {
    static_cast<void>(fcntl(pipe.get(), F_SETPIPE_SZ, bytes));  // beyond the user's quota: smaller
}

}  // namespace knarr::sys
