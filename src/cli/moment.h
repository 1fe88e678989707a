#pragma once
// Moments as people and templates read them. In seconds since 1970; nothing: not known.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace knarr::cli {

std::int64_t now_s();

/// Of an RFC 3339 text; nothing when it is none.
std::optional<std::int64_t> seconds_of(std::string_view rfc3339);

/// "2 hours ago", as docker's tables have it. A `when` that is in the future, 0 or not known gives
/// "N/A".
std::string ago(std::optional<std::int64_t> when, std::int64_t now);

/// As Go writes a time, "2026-01-02 03:04:05 +0000 UTC"; its own zero for one that is not known.
std::string go_time(std::optional<std::int64_t> seconds);

}  // namespace knarr::cli
