#include "engine/flow.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

void put(Flow& flow, std::string_view bytes) {
    const std::span<char> room = flow.free_part();
    ASSERT_GE(room.size(), bytes.size());
    std::copy(bytes.begin(), bytes.end(), room.begin());
    flow.was_read(bytes.size());
}

TEST(Flow, ReadsUntilItIsFullAndThenWaitsForItsSink) {
    Flow flow;
    EXPECT_TRUE(flow.wants_to_read());
    EXPECT_FALSE(flow.wants_to_write());
    put(flow, std::string(Flow::kRoom, 'x'));
    EXPECT_FALSE(flow.wants_to_read());
    EXPECT_TRUE(flow.wants_to_write());
    flow.was_written(1);
    EXPECT_TRUE(flow.wants_to_read());
    EXPECT_EQ(flow.free_part().size(), 1U);
}

TEST(Flow, KeepsTheOrderWhereWritesAreShort) {
    Flow flow;
    std::string in;
    std::string out;
    for (int round = 0; round < 5000; ++round) {
        const std::string piece(static_cast<std::size_t>(round % 23),
                                static_cast<char>('a' + round % 26));
        put(flow, piece);
        in += piece;
        const std::string_view held = flow.held_part();
        const std::size_t count =
            std::min<std::size_t>(held.size(), static_cast<std::size_t>(round % 29));
        out += held.substr(0, count);
        flow.was_written(count);
    }
    out += flow.held_part();
    EXPECT_EQ(out, in);
}

TEST(Flow, IsDoneOnlyWhenWhatItHeldAtTheEndIsOut) {
    Flow flow;
    put(flow, "rest");
    flow.end();
    EXPECT_FALSE(flow.wants_to_read());
    EXPECT_FALSE(flow.is_done());
    flow.was_written(4);
    EXPECT_TRUE(flow.is_done());
}

TEST(Flow, EndsWithTheLastWordsWhereThereIsRoom) {
    Flow flow;
    put(flow, "line");
    flow.end("\x04\x04");
    EXPECT_EQ(flow.held_part(), "line\x04\x04");
    Flow full;
    put(full, std::string(Flow::kRoom, 'x'));
    full.end("\x04");
    EXPECT_EQ(full.held_part().size(), Flow::kRoom);
}

TEST(Flow, ABrokenSinkEndsItAtOnce) {
    Flow flow;
    put(flow, "lost");
    flow.break_off();
    EXPECT_TRUE(flow.is_done());
    EXPECT_FALSE(flow.wants_to_read());
    EXPECT_FALSE(flow.wants_to_write());
}

}  // namespace
}  // namespace knarr::engine
