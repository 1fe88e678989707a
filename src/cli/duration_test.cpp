#include "cli/duration.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

std::int64_t ms(std::string_view text) {
    const auto parsed = parse_duration(text, "option --x");
    return parsed ? parsed->count() : -1;
}

TEST(Duration, IsASumOfNumbersWithUnits) {
    EXPECT_EQ(ms("5s"), 5000);
    EXPECT_EQ(ms("250ms"), 250);
    EXPECT_EQ(ms("1m30s"), 90'000);
    EXPECT_EQ(ms("2h"), 7'200'000);
    EXPECT_EQ(ms("0"), 0);
    EXPECT_EQ(ms("0s"), 0);
    EXPECT_EQ(ms("8760h"), 31'536'000'000);
}

TEST(Duration, RefusesWhatIsNoTime) {
    for (const char* text :
         {"", "5", "s", "-5s", "5x", "1.5s", "8761h", "99999999999999999999s", "5 s"}) {
        EXPECT_EQ(ms(text), -1) << text;
    }
}

}  // namespace
}  // namespace knarr::cli
