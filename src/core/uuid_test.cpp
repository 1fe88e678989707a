#include "core/uuid.h"

#include <array>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "core/clock.h"
#include "core/random.h"

namespace knarr {
namespace {

using std::chrono::milliseconds;

TEST(Uuid7, HasTheLayoutOfRfc9562) {
    const ManualClock clock(Clock::Wall(milliseconds(0x0123'4567'89ab)));
    SeededRandom random(42);
    const std::string id = make_uuid7(clock, random);
    ASSERT_EQ(id.size(), 36U);
    EXPECT_EQ(id.substr(0, 15), "01234567-89ab-7");  // time, version
    EXPECT_EQ(id[18], '-');
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;  // variant
    EXPECT_EQ(id[23], '-');
}

TEST(Uuid7, SortsByTime) {
    ManualClock clock(Clock::Wall(milliseconds(1'700'000'000'000)));
    SeededRandom random(7);
    std::string last;
    for (int i = 0; i < 100; ++i) {
        const std::string next = make_uuid7(clock, random);
        EXPECT_LT(last, next);
        last = next;
        clock.advance(milliseconds(1));
    }
}

TEST(Uuid7, DiffersWithinOneMillisecond) {
    const ManualClock clock;
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_TRUE(seen.insert(make_uuid7(clock, system_random())).second);
    }
}

TEST(LongId, Is64DigitsInTheOrderOfTime) {
    ManualClock clock(Clock::Wall(milliseconds(1'700'000'000'000)));
    SeededRandom random(7);
    const std::string first = make_long_id(clock, random);
    EXPECT_EQ(first.size(), 64U);
    EXPECT_EQ(first.find_first_not_of("0123456789abcdef"), std::string::npos);
    clock.advance(milliseconds(1));
    EXPECT_LT(first, make_long_id(clock, random));
}

TEST(SeededRandom, RepeatsItselfForOneSeedOnly) {
    const auto draw = [](std::uint64_t seed) {
        std::array<std::byte, 20> bytes{};
        SeededRandom(seed).fill(bytes);
        return bytes;
    };
    EXPECT_EQ(draw(42), draw(42));
    EXPECT_NE(draw(42), draw(43));
}

TEST(FormatTime, WritesRfc3339InUtcWithNanoseconds) {
    EXPECT_EQ(format_time(Clock::Wall{}), "1970-01-01T00:00:00.000000000Z");
    EXPECT_EQ(format_time(Clock::Wall(std::chrono::nanoseconds(1'709'251'199'123'456'789))),
              "2024-02-29T23:59:59.123456789Z");
}

TEST(FormatTime, KnowsTimesBefore1970) {
    EXPECT_EQ(format_time(Clock::Wall(std::chrono::nanoseconds(-1))),
              "1969-12-31T23:59:59.999999999Z");
}

TEST(ManualClock, MovesOnlyWhenTold) {
    ManualClock clock;
    const auto before = clock.steady();
    EXPECT_EQ(clock.steady(), before);
    clock.advance(milliseconds(5));
    EXPECT_EQ(clock.steady() - before, milliseconds(5));
    EXPECT_EQ(clock.wall().time_since_epoch(), milliseconds(5));
}

}  // namespace
}  // namespace knarr
