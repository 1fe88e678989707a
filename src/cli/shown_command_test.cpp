#include "cli/shown_command.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

TEST(ShownCommand, IsCutAfterNineteenColumns) {
    EXPECT_EQ(shown_command({"sleep", "1000"}, false), "\"sleep 1000\"");
    EXPECT_EQ(shown_command({"12345678901234567890"}, false), "\"12345678901234567890\"");
    EXPECT_EQ(shown_command({"123456789012345678901"}, false), "\"1234567890123456789…\"");
    EXPECT_EQ(shown_command({"123456789012345678901"}, true), "\"123456789012345678901\"");
    EXPECT_EQ(shown_command({}, false), "\"\"");
}

TEST(ShownCommand, HasWordsWithBlanksInQuotesAsTheDaemonHasThem) {
    EXPECT_EQ(shown_command({"sh", "-c", "a b"}, false), "\"sh -c 'a b'\"");
    EXPECT_EQ(shown_command({"a b", "c"}, false), "\"a b c\"");
    EXPECT_EQ(shown_command({"sh", "-c", "trap 'exit 3' TERM; sleep 1"}, false),
              "\"sh -c 'trap 'exit 3…\"");
}

TEST(ShownCommand, CountsColumnsAndNotBytes) {
    EXPECT_EQ(shown_command({"ééééééééééééééééééééé"}, false), "\"ééééééééééééééééééé…\"");
    EXPECT_EQ(shown_command({"こんにちはこんにちはこ"}, false), "\"こんにちはこんにち…\"");
    EXPECT_EQ(shown_command({"こんにちはこんにちは"}, false), "\"こんにちはこんにちは\"");
}

}  // namespace
}  // namespace knarr::cli
