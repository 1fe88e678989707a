#pragma once

#include <chrono>
#include <string_view>

#include "knarr/result.h"

namespace knarr::cli {

/// A time as Go programs write it: "500ms", "5s", "1m30s", "2h"; 0 needs no unit.
/// Errors: invalid_argument naming `what` and `most`.
Result<std::chrono::milliseconds> parse_duration(std::string_view text,
                                                 std::string_view what,
                                                 std::chrono::hours most = std::chrono::hours(365 *
                                                                                              24));

}  // namespace knarr::cli
