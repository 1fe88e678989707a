#include "engine/processes.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

TEST(LinesAbout, KeepsTheHeadingAndTheLinesOfThePids) {
    constexpr std::string_view kTable =
        "UID          PID    PPID  C STIME TTY          TIME CMD\n"
        "root           1       0  0 10:00 ?        00:00:01 init 17\n"
        "root          17       1  0 10:00 ?        00:00:00 sleep 1\n"
        "root         170       1  0 10:00 ?        00:00:00 sleep 17\n";
    const auto lines = lines_about(kTable, {17, 4});
    ASSERT_TRUE(lines.has_value()) << lines.error().message;
    EXPECT_EQ(*lines,
              "UID          PID    PPID  C STIME TTY          TIME CMD\n"
              "root          17       1  0 10:00 ?        00:00:00 sleep 1\n");
}

TEST(LinesAbout, FindsThePidWhereverItsColumnIs) {
    const auto lines = lines_about("CMD PID\na 3\nb 4\n", {4});
    ASSERT_TRUE(lines.has_value()) << lines.error().message;
    EXPECT_EQ(*lines, "CMD PID\nb 4\n");
}

TEST(LinesAbout, IsOnlyTheHeadingWhereNothingRuns) {
    EXPECT_EQ(lines_about("PID CMD\n1 init\n", {}).value_or("?"), "PID CMD\n");
}

TEST(LinesAbout, RefusesATableWithoutPids) {
    const auto lines = lines_about("CMD\ninit\n", {1});
    ASSERT_FALSE(lines.has_value());
    EXPECT_EQ(lines.error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace knarr::engine
