#pragma once

#include <chrono>
#include <string>

namespace knarr {

/// Time, passed in so that tests hold it. Wall time for records, steady time for deadlines.
class Clock {
public:
    using Wall = std::chrono::sys_time<std::chrono::nanoseconds>;
    using Steady = std::chrono::steady_clock::time_point;

    virtual ~Clock() = default;
    virtual Wall wall() const = 0;
    virtual Steady steady() const = 0;
};

/// The machine's own clock.
const Clock& system_clock();

/// A clock that moves only when told to.
class ManualClock : public Clock {
public:
    explicit ManualClock(Wall start = Wall{}) : wall_(start) {}
    Wall wall() const override { return wall_; }
    Steady steady() const override { return steady_; }
    void advance(std::chrono::nanoseconds by) {
        wall_ += by;
        steady_ += std::chrono::duration_cast<Steady::duration>(by);
    }

private:
    Wall wall_;
    Steady steady_{};
};

/// RFC 3339 in UTC with nanoseconds, "2026-11-23T00:53:50.123456789Z".
std::string format_time(Clock::Wall time);

}  // namespace knarr
