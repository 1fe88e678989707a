#include "runtime/launch/user_maps.h"

#include <gtest/gtest.h>

namespace knarr::runtime {
namespace {

std::string lines(std::uint32_t own, const std::vector<SubordinateRange>& given) {
    return to_lines(user_mappings(own, given));
}

TEST(UserMaps, TheCallerIsRootAndHisRangeFollows) {
    EXPECT_EQ(lines(1000, {{.first = 100000, .count = 65536}}), "0 1000 1\n1 100000 65536\n");
}

TEST(UserMaps, WithoutARangeThereIsTheCallerAlone) {
    EXPECT_EQ(lines(1000, {}), "0 1000 1\n");
    EXPECT_EQ(subordinate_count({.uids = user_mappings(1, {}), .gids = user_mappings(1, {})}), 0U);
}

TEST(UserMaps, RangesFollowOneAnotherInTheFilesOrder) {
    EXPECT_EQ(lines(1000, {{.first = 300000, .count = 10}, {.first = 100000, .count = 65536}}),
              "0 1000 1\n1 300000 10\n11 100000 65536\n");
}

TEST(UserMaps, NothingIsMappedTwice) {
    EXPECT_EQ(lines(1000, {{.first = 900, .count = 200}, {.first = 5000, .count = 2}}),
              "0 1000 1\n1 5000 2\n");
    EXPECT_EQ(lines(1, {{.first = 100, .count = 10}, {.first = 109, .count = 10}}),
              "0 1 1\n1 100 10\n");
}

TEST(UserMaps, WhatTheKernelRefusesIsLeftOut) {
    EXPECT_EQ(lines(1, {{.first = 0xfffffffe, .count = 2}, {.first = 7, .count = 0}}), "0 1 1\n");
    EXPECT_EQ(lines(1, {{.first = 2, .count = 0xfffffff0}, {.first = 0xfffffff8, .count = 7}}),
              "0 1 1\n1 2 4294967280\n4294967281 4294967288 7\n");
    std::vector<SubordinateRange> many;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        many.push_back({.first = 100000 + 2 * i, .count = 1});
    }
    EXPECT_LT(lines(1, many).size(), 4096U);
    EXPECT_GT(lines(1, many).size(), 4000U);
}

TEST(UserMaps, TheSmallerSideCounts) {
    const UserMaps maps{.uids = user_mappings(1, {{.first = 100, .count = 10}}),
                        .gids = user_mappings(1, {{.first = 100, .count = 5}})};
    EXPECT_EQ(subordinate_count(maps), 5U);
}

}  // namespace
}  // namespace knarr::runtime
