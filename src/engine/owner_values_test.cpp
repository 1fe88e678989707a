#include "engine/owner_values.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

StoreUsage usage() {
    return {.images = {.total = 3, .active = 1, .bytes = 4096, .reclaimable = 5},
            .layers = {},
            .garbage = {.total = 1},
            .each = {{.image = {.id = "sha256:1",
                                .references = {"a:1", "b:2"},
                                .labels = {{"k", "v"}, {"", ""}}},
                      .shared = 7,
                      .containers = 2}}};
}

TEST(OwnerValues, ComeBackAsTheyWere) {
    const StoreUsage back = *decode_value<StoreUsage>(encode_value(usage()));

    EXPECT_EQ(back.images.reclaimable, 5U);
    EXPECT_EQ(back.garbage.total, 1U);
    ASSERT_EQ(back.each.size(), 1U);
    EXPECT_EQ(back.each[0].image.references, (std::vector<std::string>{"a:1", "b:2"}));
    EXPECT_EQ(back.each[0].image.labels, usage().each[0].image.labels);
    EXPECT_EQ(back.each[0].containers, 2U);
}

TEST(OwnerValues, ATextMayHaveAnyBytes) {
    const std::string text("a\0\n\xff", 4);

    EXPECT_EQ(*decode_value<std::string>(encode_value(text)), text);
}

TEST(OwnerValues, ProgressKeepsItsPhaseAndCounts) {
    const PullProgress news{
        .phase = PullPhase::unpacking, .layer = "sha256:2", .done = 1, .total = 9};
    const PullProgress last{
        .phase = PullPhase::finished, .reference = "a", .digest = "sha256:3", .is_new = true};

    const PullProgress back = *decode_value<PullProgress>(encode_value(news));
    EXPECT_EQ(back.phase, PullPhase::unpacking);
    EXPECT_EQ(back.layer, "sha256:2");
    EXPECT_EQ(back.total, 9U);
    EXPECT_FALSE(back.is_new);
    const PullProgress end = *decode_value<PullProgress>(encode_value(last));
    EXPECT_TRUE(end.is_new);
    EXPECT_EQ(end.digest, "sha256:3");
}

TEST(OwnerValues, WhatIsCutOrTooLongIsNone) {
    const std::string whole = encode_value(usage());

    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode_value<StoreUsage>(std::string_view(whole).substr(0, size))) << size;
    }
    EXPECT_FALSE(decode_value<StoreUsage>(whole + "x"));
}

TEST(OwnerValues, ACountThatNothingFollowsAllocatesNothing) {
    EXPECT_FALSE(decode_value<std::vector<LoadedImage>>(std::string(8, '\xff')));
}

TEST(OwnerValues, APhaseThatIsNoneIsRefused) {
    std::string bytes = encode_value(PullProgress{});
    bytes[0] = 100;

    EXPECT_FALSE(decode_value<PullProgress>(bytes));
}

}  // namespace
}  // namespace knarr::engine
