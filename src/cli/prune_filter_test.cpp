#include "cli/prune_filter.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000'000'000;  // 2023-11-14T22:13:20Z
const std::map<std::string, std::string> kLabels{{"tier", "db"}, {"keep", ""}};
constexpr const char* kMade = "2023-11-14T21:13:20Z";  // an hour ago

bool fits(const std::vector<std::string_view>& texts) {
    const auto filter = PruneFilter::parse(texts, {.truth = "dangling"}, kNow);
    EXPECT_TRUE(filter) << (filter ? "" : filter.error().message);
    return filter && filter->fits(kLabels, kMade);
}

TEST(PruneFilter, AllThatIsAskedForMustFit) {
    EXPECT_TRUE(fits({}));
    EXPECT_TRUE(fits({"label=tier", "label=tier=db", "label!=other", "until=59m"}));
    EXPECT_FALSE(fits({"label=tier", "label=tier=web"}));
    EXPECT_FALSE(fits({"label!=other", "label!=keep"}));
    EXPECT_TRUE(fits({"label!=tier=web"}));
    EXPECT_FALSE(fits({"until=61m"}));
    EXPECT_FALSE(fits({"until=1m", "until=61m"}));
    EXPECT_TRUE(fits({"until=2023-11-14T21:13:20Z"}));
    EXPECT_FALSE(fits({"until=2023-11-14"}));
    EXPECT_TRUE(fits({"dangling=false"}));
}

TEST(PruneFilter, WhatAVerbDoesNotHaveIsRefused) {
    for (const char* text : {"", "label", "label=", "name=x", "until=soon", "until=", "=x"}) {
        EXPECT_FALSE(PruneFilter::parse({text}, {}, kNow)) << text;
    }
    EXPECT_FALSE(PruneFilter::parse({"until=24h"}, {.until = false}, kNow));
    EXPECT_FALSE(PruneFilter::parse({"dangling=true"}, {}, kNow));
    EXPECT_FALSE(PruneFilter::parse({"dangling=maybe"}, {.truth = "dangling"}, kNow));
    EXPECT_EQ(PruneFilter::parse({"all=1"}, {.truth = "all"}, kNow)->truth(), true);
    EXPECT_FALSE(PruneFilter::parse({"label=x"}, {.truth = "all"}, kNow)->truth());
}

}  // namespace
}  // namespace knarr::cli
