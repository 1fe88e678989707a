#pragma once
// All that a pull or push transfers, taken together: bytes, how fast they go, how long it will
// take.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "knarr/image.h"

namespace knarr::cli {

class ProgressSum {
public:
    using Time = std::chrono::steady_clock::time_point;

    void note(const PullProgress& news, Time now);
    std::uint64_t done() const { return done_; }
    std::uint64_t total() const { return total_; }
    /// Bytes a second, of the last seconds; 0 before that can be told.
    double rate() const;
    /// Nothing: it cannot be told yet, or there is nothing left.
    std::optional<std::chrono::seconds> left() const;
    /// "all 12.0 MiB of 40.0 MiB  30%, 4.0 MiB/s, 7 s left"
    std::string line() const;

private:
    struct Layer {
        std::uint64_t first = 0, done = 0, total = 0;  // first: what was told first
    };
    struct Sample {
        Time time;
        std::uint64_t came = 0;
    };
    std::map<std::string, Layer> layers_;
    std::uint64_t done_ = 0, total_ = 0, came_ = 0;
    std::deque<Sample> samples_;  // oldest first
};

}  // namespace knarr::cli
