#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "knarr/result.h"

namespace knarr::cli {

/// A moment as docker's `logs --since` takes it: RFC 3339 ("2026-11-23T00:53:50.5Z", also without
/// fraction, seconds or offset, then UTC, and a date alone), seconds since 1970 with or without a
/// fraction, or a time before `now` ("10m"). As RFC 3339 in UTC with nanoseconds.
/// Errors: invalid_argument naming `what`.
Result<std::string> parse_log_time(std::string_view text, Clock::Wall now, std::string_view what);

}  // namespace knarr::cli
