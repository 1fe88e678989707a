#include "core/words.h"

#include <gtest/gtest.h>

namespace knarr {
namespace {

TEST(Words, StandBetweenBlanksAndTabs) {
    EXPECT_EQ(words("  a b\tc  "), (std::vector<std::string_view>{"a", "b", "c"}));
    EXPECT_TRUE(words(" \t").empty());
}

}  // namespace
}  // namespace knarr
