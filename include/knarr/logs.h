#pragma once
// What a container in the background wrote, as a caller asks for it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr {

struct LogRequest {
    bool follow = false;                     ///< until the container ends
    std::optional<std::uint64_t> tail = {};  ///< only so many of the last lines
    /// RFC 3339 in UTC with nanoseconds, both inclusive; empty: no bound.
    std::string since = {}, until = {};
    int cancel_fd = -1;  ///< a descriptor that becomes readable when it is to end; -1: none
};

/// A part of what the program wrote to one stream.
struct LogPart {
    bool error_stream = false;
    std::string_view time = {};  ///< RFC 3339 in UTC with nanoseconds, when it was written
    std::string_view text = {};  ///< with the line break that ends it, if one does
};
/// Failing ends the reading.
using LogSink = std::function<Result<>(const LogPart&)>;

}  // namespace knarr
