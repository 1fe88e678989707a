#include "cli/moment.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

TEST(Moment, IsToldByTheLargestUnitThatFits) {
    constexpr std::int64_t kNow = 1'763'859'230;
    EXPECT_EQ(ago(kNow, kNow), "just now");
    EXPECT_EQ(ago(kNow - 1, kNow), "1 second ago");
    EXPECT_EQ(ago(kNow - 90, kNow), "1 minute ago");
    EXPECT_EQ(ago(kNow - 3 * 86400, kNow), "3 days ago");
    EXPECT_EQ(ago(kNow + 1, kNow), "N/A");
    EXPECT_EQ(ago(std::nullopt, kNow), "N/A");
}

TEST(Moment, OfAnImageWithoutOneIsGosZero) {
    EXPECT_EQ(go_time(seconds_of("2025-11-23T00:53:50.9Z")), "2025-11-23 00:53:50 +0000 UTC");
    EXPECT_EQ(go_time(seconds_of("")), "0001-01-01 00:00:00 +0000 UTC");
    EXPECT_EQ(go_time(seconds_of("0001-01-01T00:00:00Z")), "0001-01-01 00:00:00 +0000 UTC");
}

}  // namespace
}  // namespace knarr::cli
