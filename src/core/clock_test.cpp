#include "core/clock.h"

#include <gtest/gtest.h>

namespace knarr {
namespace {

using std::chrono::nanoseconds;

constexpr Clock::Wall kMoment{
    nanoseconds(1'763'859'230'123'456'789)};  // 2025-11-23T00:53:50.123456789Z

TEST(ParseTime, ReadsWhatFormatTimeWrites) {
    for (const Clock::Wall time : {kMoment, Clock::Wall{}, Clock::Wall{nanoseconds(-1)}}) {
        EXPECT_EQ(parse_time(format_time(time)), time) << format_time(time);
    }
}

TEST(ParseTime, TakesOffsetsAndAnyNumberOfDigits) {
    EXPECT_EQ(parse_time("2025-11-23T00:53:50Z"), kMoment - nanoseconds(123'456'789));
    EXPECT_EQ(parse_time("2025-11-23t02:53:50.1+02:00"), kMoment - nanoseconds(23'456'789));
    EXPECT_EQ(parse_time("2025-11-22T23:23:50.1234567891-01:30"), kMoment);
}

TEST(ParseTime, RefusesWhatIsNoMoment) {
    for (const char* text : {"",
                             "2025-11-23",
                             "2025-11-23T00:53:50",
                             "2025-11-23 00:53:50Z",
                             "2025/11/23T00:53:50Z",
                             "2025-11-23T00-53-50Z",
                             "2025-02-30T00:53:50Z",
                             "2025-13-01T00:53:50Z",
                             "2025-11-23T24:00:00Z",
                             "2025-11-23T00:60:00Z",
                             "2025-11-23T00:53:50.Z",
                             "2025-11-23T00:53:50+2:00",
                             "2025-11-23T00:53:50+0200",
                             "2025-11-23T00:53:50Z ",
                             "2025-11-23T00:53:50ZZ",
                             "+025-11-23T00:53:50Z",
                             "0001-01-01T00:00:00Z",
                             "2262-01-01T00:00:00Z"}) {
        EXPECT_EQ(parse_time(text), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace knarr
