#include "image/connect.h"

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

TEST(Deadline, IsWhatTheCallerSays) {
    const Clock::Steady begin{std::chrono::hours(5)};
    const Deadline deadline = deadline_of({.timeout = std::chrono::seconds(90)}, begin);
    EXPECT_EQ(deadline.given, std::chrono::seconds(90));
    EXPECT_EQ(deadline.end, begin + std::chrono::seconds(90));
}

TEST(Deadline, IsFiniteWhenNobodySaysAnything) {
    const Clock::Steady begin{std::chrono::hours(5)};
    EXPECT_EQ(deadline_of({}, begin).end, begin + kOperationTime);
}

}  // namespace
}  // namespace knarr::image
