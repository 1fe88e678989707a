#include "platform/descriptor_packet.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

namespace knarr::sys {

namespace {
constexpr std::size_t kMaxFdBytes = kMaxPacketFds * sizeof(int);
}  // namespace

Result<> send_descriptors(const Fd& socket, std::string_view bytes, std::span<const Fd> fds) {
    if (fds.size() > kMaxPacketFds) {
        return fail(Errc::internal, "{} descriptors in one packet", fds.size());
    }
    // sendmsg only reads through this pointer, its type is not const for history's sake.
    iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxFdBytes)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
        const std::size_t fd_bytes = fds.size() * sizeof(int);
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fd_bytes);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_bytes);
        for (std::size_t i = 0; i < fds.size(); ++i) {
            const int raw = fds[i].get();
            std::memcpy(CMSG_DATA(header) + i * sizeof raw, &raw, sizeof raw);
        }
    }
    while (sendmsg(socket.get(), &message, MSG_NOSIGNAL) < 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "sendmsg");
        }
    }
    return {};
}

Result<std::optional<DescriptorPacket>> receive_descriptors(const Fd& socket, std::size_t max) {
    DescriptorPacket packet;
    packet.bytes.resize(max);
    iovec part{.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(kMaxFdBytes)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = CMSG_LEN(kMaxFdBytes);
    ssize_t got = 0;
    // ECONNRESET: the other side closed with packets of ours unread; what it sent comes next.
    while ((got = recvmsg(socket.get(), &message, MSG_CMSG_CLOEXEC)) < 0) {
        if (errno != EINTR && errno != ECONNRESET) {
            return fail_errno(errno, "recvmsg");
        }
    }
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (got > 0 && header != nullptr && header->cmsg_level == SOL_SOCKET &&
        header->cmsg_type == SCM_RIGHTS) {
        const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; ++i) {
            int raw = -1;
            std::memcpy(&raw, CMSG_DATA(header) + i * sizeof raw, sizeof raw);
            packet.fds.emplace_back(raw);
        }
    }
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        return fail(Errc::io,
                    "receive packet: longer than {} bytes or with more than {} descriptors",
                    max,
                    kMaxPacketFds);
    }
    if (got == 0) {
        return std::optional<DescriptorPacket>{};
    }
    packet.bytes.resize(static_cast<std::size_t>(got));
    return std::optional(std::move(packet));
}

}  // namespace knarr::sys
