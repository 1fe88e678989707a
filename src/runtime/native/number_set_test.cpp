#include "runtime/native/number_set.h"

#include <gtest/gtest.h>

namespace knarr::runtime::native {

namespace {

using Words = std::vector<std::uint64_t>;

TEST(NumberSet, RangesAndNumbersAreBits) {
    EXPECT_EQ(parse_number_set("0-3,7", kMaxCpus), Words{0x8f});
    EXPECT_EQ(parse_number_set(" 1 , 3 - 4 ", kMaxCpus), Words{0x1a});
    EXPECT_EQ(parse_number_set("64,63", kMaxCpus), (Words{1ULL << 63, 1}));
    EXPECT_EQ(parse_number_set("", kMaxCpus), Words{});
}

TEST(NumberSet, WhatIsNoListBelowTheBoundIsRefused) {
    for (const char* bad :
         {",", "1,", "3-1", "-1", "1-", "x", "1 2", "8192", "0-99999999999999999999"}) {
        EXPECT_EQ(parse_number_set(bad, kMaxCpus), std::nullopt) << bad;
    }
    EXPECT_TRUE(parse_number_set("8191", kMaxCpus));
    EXPECT_FALSE(parse_number_set("4", 4));
}

}  // namespace

}  // namespace knarr::runtime::native
