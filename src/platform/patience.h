#pragma once
// Asking again and again where the kernel has nothing to wait for: a lock with a deadline, a cgroup
// that empties.

#include <chrono>

namespace knarr::sys {

/// Pauses that grow from 0.2 ms to 20 ms until the time is up.
class Patience {
public:
    explicit Patience(std::chrono::milliseconds whole)
        : deadline_(std::chrono::steady_clock::now() + whole) {}
    /// Pauses once, then true; false at once when the time is up.
    bool rest();

private:
    std::chrono::steady_clock::time_point deadline_;
    std::chrono::nanoseconds next_{200'000};
};

}  // namespace knarr::sys
