#include "engine/typed_input.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "platform/socket.h"

namespace knarr::engine {
namespace {

void type(TypedInput& input, std::string_view text) {
    ASSERT_TRUE(input.wants_to_read());
    const std::span<char> room = input.free_part();
    ASSERT_GE(room.size(), text.size());
    std::ranges::copy(text, room.begin());
    input.was_read(text.size());
}

std::string take(TypedInput& input) {
    const std::string out(input.flow().held_part());
    input.flow().was_written(out.size());
    return out;
}

TEST(TypedInput, AKeyThatWasHeldBackComesOutBeforeAFullRead) {
    TypedInput input("pq");
    type(input, "p");
    EXPECT_EQ(take(input), "");
    const std::string text(input.free_part().size(), 'x');
    type(input, text);
    EXPECT_EQ(take(input), "p" + text);
}

TEST(TypedInput, IsReadUntilThereIsRoomForWhatMayFollowOnly) {
    TypedInput input("pq");
    const std::string text(input.free_part().size() - 1, 'x');
    type(input, text);
    type(input, "p");
    input.end();
    input.flow().end("\x04\x04");
    EXPECT_EQ(take(input), text + "p\x04\x04");
    EXPECT_TRUE(input.flow().is_done());

    TypedInput full("pq");
    type(full, std::string(full.free_part().size(), 'x'));
    EXPECT_FALSE(full.wants_to_read());
    take(full);
    EXPECT_TRUE(full.wants_to_read());
}

TEST(TypedInput, ABeginningOfTheKeysAtTheEndIsTyped) {
    TypedInput input("\x10\x11");
    type(input, "line\n\x10");
    EXPECT_EQ(take(input), "line\n");
    input.end();
    EXPECT_TRUE(input.flow().is_within_line());
    EXPECT_EQ(take(input), "\x10");
    EXPECT_FALSE(input.is_left());
}

TEST(TypedInput, APipeEndsWithoutACharacter) {
    TypedInput input("");
    type(input, "no line");
    input.end();
    EXPECT_EQ(take(input), "no line");
    EXPECT_TRUE(input.flow().is_done());
}

TEST(TypedInput, ReadsWhatAPipeHasAndSeesItsEnd) {
    TypedInput input("");
    sys::Pipe pipe = *sys::make_pipe();
    ASSERT_TRUE(sys::set_nonblocking(pipe.read));
    EXPECT_EQ(input.take(pipe.read), std::nullopt);
    ASSERT_TRUE(sys::write_all(pipe.write, "ab"));
    EXPECT_EQ(input.take(pipe.read), 2U);
    EXPECT_EQ(take(input), "ab");
    pipe.write.reset();
    EXPECT_EQ(input.take(pipe.read), 0U);
}

}  // namespace
}  // namespace knarr::engine
