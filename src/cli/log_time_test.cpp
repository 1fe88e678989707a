#include "cli/log_time.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

const Clock::Wall kNow{std::chrono::seconds(1'700'000'000)};  // 2023-11-14T22:13:20Z

std::string parsed(std::string_view text) {
    const auto time = parse_log_time(text, kNow, "--since");
    return time ? *time : "refused";
}

TEST(LogTime, IsTakenInEachOfDockersForms) {
    EXPECT_EQ(parsed("2026-11-23T00:53:50.5Z"), "2026-11-23T00:53:50.500000000Z");
    EXPECT_EQ(parsed("2026-11-23T00:53:50.123456789Z"), "2026-11-23T00:53:50.123456789Z");
    EXPECT_EQ(parsed("2026-11-23T00:53:50"), "2026-11-23T00:53:50.000000000Z");
    EXPECT_EQ(parsed("2026-11-23T00:53"), "2026-11-23T00:53:00.000000000Z");
    EXPECT_EQ(parsed("2026-11-23"), "2026-11-23T00:00:00.000000000Z");
    EXPECT_EQ(parsed("2026-11-23T00:53:50+02:00"), "2026-11-22T22:53:50.000000000Z");
    EXPECT_EQ(parsed("2026-11-23T00:53:50.25-01:30"), "2026-11-23T02:23:50.250000000Z");
    EXPECT_EQ(parsed("1700000000"), "2023-11-14T22:13:20.000000000Z");
    EXPECT_EQ(parsed("1700000000.000000001"), "2023-11-14T22:13:20.000000001Z");
    EXPECT_EQ(parsed("10m"), "2023-11-14T22:03:20.000000000Z");
    EXPECT_EQ(parsed("0"), "1970-01-01T00:00:00.000000000Z");
}

TEST(LogTime, AnythingElseIsRefused) {
    for (const char* text : {"",
                             "yesterday",
                             "2026-13-01",
                             "2026-11-23T",
                             "2026-11-23T00:53:50.Z",
                             "2026-11-23T00:53:50+2",
                             "1700000000.",
                             "-5m",
                             "99999999999999999999"}) {
        EXPECT_EQ(parsed(text), "refused") << text;
    }
}

}  // namespace
}  // namespace knarr::cli
