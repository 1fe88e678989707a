#include "engine/detach_keys.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

std::string keys(std::string_view text) {
    const auto out = parse_detach_keys(text);
    EXPECT_TRUE(out) << text;
    return out.value_or("");
}

TEST(DetachKeys, AreControlCharactersAndPlainOnes) {
    EXPECT_EQ(keys("ctrl-p,ctrl-q"), "\x10\x11");
    EXPECT_EQ(keys("ctrl-A,x,ctrl-[,ctrl-_"), "\x01x\x1b\x1f");
    EXPECT_EQ(keys("ctrl-@"), std::string(1, '\0'));
    EXPECT_EQ(keys(""), "");
}

TEST(DetachKeys, OtherWordsAreRefusedByName) {
    for (const char* text : {",", "ctrl-", "ctrl-1", "ab", "ctrl-p,", "alt-x", "ctrl-pp"}) {
        const auto out = parse_detach_keys(text);
        ASSERT_FALSE(out) << text;
        EXPECT_EQ(out.error().code, Errc::invalid_argument);
    }
}

TEST(DetachKeys, AreKeptFromTheProgram) {
    DetachKeys pq("pq");
    EXPECT_EQ(pq.pass("abpq rest"), "ab");
    EXPECT_TRUE(pq.are_complete());
}

TEST(DetachKeys, ArriveInPieces) {
    DetachKeys pq("pq");
    EXPECT_EQ(pq.pass("p"), "");
    EXPECT_FALSE(pq.are_complete());
    EXPECT_EQ(pq.pass("q"), "");
    EXPECT_TRUE(pq.are_complete());
}

TEST(DetachKeys, ABeginningThatGoesOnOtherwiseIsTyped) {
    DetachKeys pq("pq");
    EXPECT_EQ(pq.pass("px"), "px");
    EXPECT_EQ(pq.pass("ppx"), "ppx");
    EXPECT_EQ(pq.pass("p"), "");
    EXPECT_EQ(pq.pass("pq"), "p");
    EXPECT_TRUE(pq.are_complete());
    DetachKeys aab("aab");
    EXPECT_EQ(aab.pass("aaab"), "a");
    EXPECT_TRUE(aab.are_complete());
}

TEST(DetachKeys, ABeginningAtTheEndIsTyped) {
    DetachKeys pqr("pqr");
    EXPECT_EQ(pqr.pass("apq"), "a");
    EXPECT_EQ(pqr.held(), 2U);
    EXPECT_EQ(pqr.rest(), "pq");
    EXPECT_EQ(pqr.held(), 0U);
    EXPECT_EQ(pqr.pass("pqr"), "");
    EXPECT_EQ(pqr.rest(), "");
    EXPECT_TRUE(pqr.are_complete());
}

TEST(DetachKeys, TooManyAreRefused) {
    std::string text = "a";
    for (std::size_t i = 1; i < kMaxDetachKeys; ++i) {
        text += ",a";
    }
    EXPECT_EQ(keys(text).size(), kMaxDetachKeys);
    const auto out = parse_detach_keys(text + ",a");
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::invalid_argument);
}

TEST(DetachKeys, WithoutKeysEverythingIsTyped) {
    DetachKeys none("");
    EXPECT_EQ(none.pass("pq"), "pq");
    EXPECT_FALSE(none.are_complete());
}

}  // namespace
}  // namespace knarr::engine
