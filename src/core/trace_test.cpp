#include "core/trace.h"

#include <gtest/gtest.h>

namespace knarr {
namespace {

alignas(8) std::array<std::byte, Trace::kBytes> memory;

TEST(Trace, WithoutMemoryNothingIsKept) {
    Trace none;
    none.mark("read the bundle");
    EXPECT_TRUE(none.lines().empty());
}

TEST(Trace, MarksStandInTheirOrderWithSideAndTime) {
    Trace mine;
    mine.open(memory.data());
    mine.mark("clone");
    mine.mark("mount proc on /proc", TraceSide::child);
    const auto lines = mine.lines();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_TRUE(lines[0].starts_with("parent ")) << lines[0];
    EXPECT_TRUE(lines[0].ends_with("  clone")) << lines[0];
    EXPECT_NE(lines[0].find(" us "), std::string::npos);
    EXPECT_TRUE(lines[1].starts_with("child ")) << lines[1];
}

TEST(Trace, MoreMarksThanPlacesAndLongNamesAreCut) {
    Trace mine;
    mine.open(memory.data());
    for (int i = 0; i < 10'000; ++i) {
        mine.mark(std::string(500, 'x'));
    }
    const auto lines = mine.lines();
    EXPECT_GT(lines.size(), 200U);
    EXPECT_LT(lines.size(), 10'000U);
    EXPECT_LT(lines.back().size(), 100U);
}

}  // namespace
}  // namespace knarr
