#include "registry/retry.h"

#include <gtest/gtest.h>

namespace knarr::registry {
namespace {

using std::chrono::seconds;

TEST(Backoff, DoublesUpToEightSeconds) {
    EXPECT_EQ(backoff(0), std::chrono::milliseconds(250));
    EXPECT_EQ(backoff(1), std::chrono::milliseconds(500));
    EXPECT_EQ(backoff(5), seconds(8));
    EXPECT_EQ(backoff(4'000'000'000), seconds(8));
}

TEST(RetryAfter, TakesSecondsAndDates) {
    const Clock::Wall now{seconds(784'111'777)};  // Sun, 06 Nov 1994 08:49:37 GMT
    EXPECT_EQ(parse_retry_after("17", now), seconds(17));
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:57 GMT", now), seconds(20));
    EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now), seconds(0)) << "in the past";
    EXPECT_EQ(parse_retry_after("Wed, 01 Mar 2000 00:00:00 GMT", now), seconds(167'757'023));
}

TEST(RetryAfter, IgnoresNonsense) {
    for (const char* text : {"",
                             "-1",
                             "1.5",
                             "soon",
                             "99999999999999999999",
                             "Sun, 31 Feb 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 25:49:37 GMT",
                             "Sunday, 06-Nov-94 08:49:37 GMT"}) {
        EXPECT_FALSE(parse_retry_after(text, Clock::Wall{})) << text;
    }
}

}  // namespace
}  // namespace knarr::registry
