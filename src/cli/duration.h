#pragma once

#include <chrono>
#include <string_view>

#include "knarr/result.h"

namespace knarr::cli {

/// A time as Go programs write it: "500ms", "5s", "1m30s", "2h"; 0 needs no unit. At most a year.
/// Errors: invalid_argument naming `what`.
Result<std::chrono::milliseconds> parse_duration(std::string_view text, std::string_view what);

}  // namespace knarr::cli
