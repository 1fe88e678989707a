#pragma once
// Capabilities: names, sets, and the kernel calls that set them, by raw system calls.

#include <cstdint>
#include <optional>
#include <string_view>

#include "knarr/result.h"

namespace knarr::sys {

/// A set of capabilities, bit N for capability number N. Source: linux/capability.h.
using CapSet = std::uint64_t;

/// CAP_CHOWN (0) to CAP_CHECKPOINT_RESTORE (40).
inline constexpr unsigned kKnownCapabilities = 41;

/// The number of "CAP_CHOWN" (any case, with or without "CAP_"); nothing when it is unknown.
std::optional<unsigned> parse_capability(std::string_view name);
/// "CAP_CHOWN"; empty above the last known number.
std::string_view capability_name(unsigned number);

constexpr CapSet cap_bit(unsigned number) {
    return CapSet{1} << number;
}

/// The five sets of a process.
struct CapSets {
    CapSet effective = 0, permitted = 0, inheritable = 0;
};

// What a launcher calls, in this order; each one allocates nothing unless it fails.

/// Removes from the bounding set what is not in `keep`. Needs CAP_SETPCAP, so before the user
/// changes. Errors: denied.
Result<> drop_bounding(CapSet keep);

/// Keeps the permitted set over a change of all user IDs from 0 (PR_SET_KEEPCAPS).
Result<> set_keep_caps(bool keep);

/// capset(2) on the calling thread. Bits above the kernel's last capability are ignored by it.
/// Errors: denied when a set exceeds what the thread may have.
Result<> set_thread_caps(CapSet effective, CapSet permitted, CapSet inheritable);

/// Makes `set` the ambient set; it must be permitted and inheritable. Errors: denied.
Result<> set_ambient(CapSet set);

/// The calling thread's sets. Source: capget(2).
Result<CapSets> thread_caps();

}  // namespace knarr::sys
