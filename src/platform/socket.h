#pragma once
// Pairs of local sockets that keep message boundaries and can carry one descriptor each.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "platform/fd.h"

namespace knarr::sys {

struct SocketPair {
    Fd ours, theirs;
};
/// Two connected SOCK_SEQPACKET sockets; `ours` does not block.
Result<SocketPair> make_packet_pair();

/// One packet with, at most, one descriptor.
struct Packet {
    std::string bytes;
    Fd fd;
    bool closed = false;  ///< the other side is gone; there is no packet
};

/// Sends one packet and, when `fd` is given, a copy of that descriptor. Never raises SIGPIPE.
/// Errors: sys_errno EAGAIN when the other side does not read, EPIPE when it is gone.
Result<> send_packet(const Fd& socket, std::string_view bytes, const Fd* fd = nullptr);

/// Receives one packet; nothing when none is waiting. More descriptors than one, a packet longer
/// than `max` and an empty packet are io errors: the sender does not speak our protocol.
Result<std::optional<Packet>> receive_packet(const Fd& socket, std::size_t max);

Result<> set_nonblocking(const Fd& fd);
/// Asks for a pipe that holds `bytes`; the kernel may give less, which is no error.
void widen_pipe(const Fd& pipe, int bytes);

}  // namespace knarr::sys
