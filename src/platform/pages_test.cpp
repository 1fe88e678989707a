#include "platform/pages.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <sys/mman.h>

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

bool is_zero(const Pages& pages) {
    return std::ranges::all_of(pages.memory(), [](char byte) { return byte == '\0'; });
}

TEST(Pages, AreZeroAgainAfterTheyWereGivenBack) {
    const Pages pages = Pages::map(10'000).value();
    EXPECT_EQ(pages.memory().size(), 10'000U);
    EXPECT_TRUE(is_zero(pages));
    std::ranges::fill(pages.memory(), 'x');
    pages.clear();
    EXPECT_TRUE(is_zero(pages));
}

TEST(Pages, MoveFromOneOwnerToAnother) {
    Pages first = Pages::map(100).value();
    first.memory().front() = 'x';
    const Pages second = std::move(first);
    EXPECT_EQ(second.memory().front(), 'x');
    Pages third;
    EXPECT_TRUE(third.memory().empty());
    third = Pages::map(1).value();
    EXPECT_EQ(third.memory().size(), 1U);
}

TEST(Pages, MoreThanThereIsIsAnError) {
    EXPECT_FALSE(Pages::map(SIZE_MAX / 2).has_value());
}

}  // namespace
}  // namespace knarr::sys
