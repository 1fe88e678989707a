#include "platform/pages.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <sys/mman.h>

#include <gtest/gtest.h>

#include "platform/disk.h"

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

TEST(Pages, ShowWhatAFileHas) {
    const Fd file = Fd(memfd_create("pages", MFD_CLOEXEC));
    const Pages pages = Pages::map_file(file, 8192).value();
    ASSERT_TRUE(write_all_at(file, "before", 0));
    EXPECT_TRUE(std::string_view(pages.memory().data(), 6) == "before");
    ASSERT_TRUE(set_size(file, 0));
    ASSERT_TRUE(write_all_at(file, "after", 1));
    EXPECT_TRUE(std::string_view(pages.memory().data(), 6) == std::string_view("\0after", 6));
    EXPECT_FALSE(Pages::map_file(Fd(), 8192).has_value());
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
