#pragma once
// When to try again, and when to stop waiting.

#include <chrono>
#include <optional>
#include <string_view>

#include "core/clock.h"

namespace knarr::registry {

/// The longest wait that a server may ask for; a longer one is an error that says so.
inline constexpr std::chrono::seconds kMaxRetryAfter{60};
/// Further tries when nothing answers at all: a wrong name should not take long to be told.
inline constexpr unsigned kConnectRetries = 2;
/// A fresh connection cures a stalled one once; a second stall is the server's.
inline constexpr unsigned kStallRetries = 1;
/// Further tries at a mirror while there is another place to ask.
inline constexpr unsigned kMirrorRetries = 1;
/// So many new bytes are progress: the count of tries starts again.
inline constexpr std::uint64_t kProgressBytes = std::uint64_t{1024} * 1024;
/// Less than this within the stall time is no progress.
inline constexpr std::uint64_t kStallBytes = 1024;

/// 250 ms before the first retry (number 0), doubled for each further one, at most 8 s.
std::chrono::milliseconds backoff(unsigned retry);

/// The wait of a Retry-After field: seconds, or an HTTP date (not its obsolete forms). Never
/// negative. Source: RFC 9110 sections 10.2.3, 5.6.7.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view field, Clock::Wall now);

}  // namespace knarr::registry
