#pragma once
// Pairs of local sockets that keep message boundaries and can carry one descriptor each.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "platform/fd.h"

namespace knarr::sys {

struct SocketPair {
    Fd ours, theirs;
};
enum class OurEnd { blocks, never_blocks };
/// Two connected SOCK_SEQPACKET sockets; `theirs` blocks.
Result<SocketPair> make_packet_pair(OurEnd our_end);

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
/// One write(2) to a descriptor that does not block; nothing when it would.
Result<std::optional<std::size_t>> write_some(const Fd& fd, std::string_view bytes);
/// write(2) of all bytes; a reader that is gone is an error (sys_errno EPIPE), never a SIGPIPE.
Result<> write_without_signal(const Fd& fd, std::string_view bytes);
/// SIGPIPE ignored, for programs that learn of a reader's end from EPIPE.
void ignore_broken_pipes();

/// What to wait for, and whether it came. An invalid descriptor is never ready.
struct Ready {
    int fd = -1;
    bool to_write = false;  ///< else to read
    bool is_ready = false;  ///< also on errors and hang-ups: the next call tells
};
/// poll(2) until one is ready or `timeout_ms` is over (-1: no limit). A signal ends it early.
Result<> wait_ready(std::span<Ready> items, int timeout_ms);
/// Until there is something to read, or its end; false: it is `end` by now.
Result<bool> wait_readable(const Fd& fd, Clock::Steady end);

/// Waits until the other end is closed, however much it sends before; that can be read afterwards.
/// Whoever sends does not wake the waiting process up.
Result<> wait_hang_up(const Fd& socket);

/// Asks for a pipe that holds `bytes`; the kernel may give less, which is no error.
void widen_pipe(const Fd& pipe, int bytes);

}  // namespace knarr::sys
