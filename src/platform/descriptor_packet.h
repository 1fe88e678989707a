#pragma once
// Packets that carry many descriptors; those with one or none are socket.h's.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "platform/fd.h"

namespace knarr::sys {

/// How many descriptors one packet may carry.
inline constexpr std::size_t kMaxPacketFds = 32;

struct DescriptorPacket {
    std::string bytes;
    std::vector<Fd> fds;
};

/// Sends one packet with copies of `fds`, kMaxPacketFds at most. Never raises SIGPIPE.
/// Errors: sys_errno EPIPE when the other side is gone.
Result<> send_descriptors(const Fd& socket, std::string_view bytes, std::span<const Fd> fds);

/// Waits for one packet; nothing when the other side is gone. A packet longer than `max` or with
/// more descriptors than kMaxPacketFds is an io error.
Result<std::optional<DescriptorPacket>> receive_descriptors(const Fd& socket, std::size_t max);

}  // namespace knarr::sys
