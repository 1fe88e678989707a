#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

/// Milliseconds of the machine's steady clock, as restarts and probes keep moments.
std::int64_t steady_ms();

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

/// Its inverse, which takes all of RFC 3339: any number of digits of a second (the tenth and later
/// ones do not count), any offset. Nothing for other texts, days that there are not, and years
/// before 1678 or after 2261, which nanoseconds since 1970 in 64 bits do not reach.
std::optional<Clock::Wall> parse_time(std::string_view rfc3339);

/// A caller's time as whole seconds that every sum of ours can hold: 0 to 2^32 - 1.
constexpr std::uint32_t count_seconds(std::chrono::seconds time) {
    constexpr std::chrono::seconds::rep kMost = UINT32_MAX;
    return static_cast<std::uint32_t>(std::clamp(time.count(), std::int64_t{0}, kMost));
}

}  // namespace knarr
