#include "cli/text_columns.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

TEST(TextColumns, OfGoAreQuoted) {
    EXPECT_EQ(go_quoted("a\"b\\c\n\t\x1b\x7f\xff"), R"("a\"b\\c\n\t\x1b\x7f\xff")");
    EXPECT_EQ(go_quoted("é€…\u00a0\u202e\U000f0000"), "\"é€…\\u00a0\\u202e\\U000f0000\"");
}

TEST(TextColumns, AreCountedAndNotBytes) {
    EXPECT_EQ(columns_of("こんé\xff"), 6U);
}

}  // namespace
}  // namespace knarr::cli
