#pragma once
// Where the last lines of a container's log begin: looked for from the end, in memory that does not
// grow with the log nor with its lines.

#include <cstdint>
#include <optional>

#include "platform/fd.h"

namespace knarr::engine {

/// Counts lines through the files of a log, the newest first.
class TailSearch {
public:
    explicit TailSearch(std::uint64_t lines) : left_(lines) {}

    /// Where in this file the last lines begin; nothing when they begin in an older one. What has
    /// not ended yet is a line, too.
    Result<std::optional<std::uint64_t>> look_in(const sys::Fd& file);

private:
    std::uint64_t left_;
    bool later_ = false;  // whether an entry follows the one that is looked at
};

}  // namespace knarr::engine
