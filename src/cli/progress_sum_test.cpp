#include "cli/progress_sum.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kMib = 1 << 20;

PullProgress news(const std::string& layer, std::uint64_t done, std::uint64_t total) {
    return {.phase = PullPhase::downloading, .layer = layer, .done = done, .total = total};
}

TEST(ProgressSum, AddsLayersUpAndTellsRateAndTimeLeft) {
    ProgressSum sum;
    const ProgressSum::Time start{};
    sum.note(news("a", 0, 30 * kMib), start);
    sum.note(news("b", 0, 10 * kMib), start);
    EXPECT_EQ(sum.left(), std::nullopt) << "nothing came yet";
    sum.note(news("a", 1, 30 * kMib), start);
    sum.note(news("b", 1, 10 * kMib), start);
    sum.note(news("a", 4 * kMib + 1, 30 * kMib), start + seconds(1));
    sum.note(news("b", 4 * kMib + 1, 10 * kMib), start + seconds(2));
    EXPECT_EQ(sum.done(), 8 * kMib + 2);
    EXPECT_EQ(sum.total(), 40 * kMib);
    EXPECT_DOUBLE_EQ(sum.rate(), 4.0 * kMib);
    EXPECT_EQ(sum.left(), seconds(8));
    EXPECT_EQ(sum.line(), "all                      8.0 MiB of 40.0 MiB  20%, 4.0 MiB/s, 8 s left");
}

TEST(ProgressSum, LooksAtTheLastSecondsAlone) {
    ProgressSum sum;
    const ProgressSum::Time start{};
    for (int i = 0; i <= 100; ++i) {  // a second each: fast, then slow
        const auto step = static_cast<std::uint64_t>(i);
        const std::uint64_t done = step <= 50 ? step * kMib : 50 * kMib + (step - 50) * 1024;
        sum.note(news("a", done, 100 * kMib), start + seconds(i));
    }
    EXPECT_DOUBLE_EQ(sum.rate(), 1024.0);
}

TEST(ProgressSum, DoesNotCountWhatAnEarlierPullGotAsSpeed) {
    ProgressSum sum;
    const ProgressSum::Time start{};
    sum.note(news("a", 50 * kMib, 100 * kMib), start);
    sum.note(news("a", 51 * kMib, 100 * kMib), start + seconds(1));
    EXPECT_DOUBLE_EQ(sum.rate(), 1.0 * kMib);
    EXPECT_EQ(sum.done(), 51 * kMib);
}

TEST(ProgressSum, EndsAtItsTotalAndDoesNotGoBack) {
    ProgressSum sum;
    const ProgressSum::Time start{};
    sum.note({.phase = PullPhase::uploading, .layer = "a", .done = 5, .total = 10}, start);
    sum.note({.phase = PullPhase::uploading, .layer = "a", .done = 3, .total = 10},
             start + milliseconds(300));
    EXPECT_EQ(sum.done(), 5U);
    sum.note({.phase = PullPhase::uploaded, .layer = "a"}, start + seconds(1));
    EXPECT_EQ(sum.done(), 10U);
    EXPECT_EQ(sum.left(), std::nullopt);
    sum.note({.phase = PullPhase::unpacking, .layer = "b", .done = 3, .total = 10}, start);
    EXPECT_EQ(sum.total(), 10U) << "only what is transferred counts";
}

TEST(ProgressSum, AnUploadedLayerThatWasThereCountsNothing) {
    ProgressSum sum;
    sum.note({.phase = PullPhase::uploaded, .layer = "a"}, {});
    EXPECT_EQ(sum.total(), 0U);
    EXPECT_DOUBLE_EQ(sum.rate(), 0.0);
}

}  // namespace
}  // namespace knarr::cli
