#include "engine/end_of_input.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using Mode = sys::TerminalInput::Mode;

sys::TerminalInput reading(Mode mode, bool has_unread = false) {
    return {.mode = mode, .end = '\x04', .has_unread = has_unread};
}

TEST(EndSigns, AfterALineTheEndIsToldOnceAndWithinOneTwice) {
    EXPECT_EQ(EndSigns(false).next(reading(Mode::lines, true)), "\x04");
    EXPECT_EQ(EndSigns(true).next(reading(Mode::lines, true)), "\x04\x04");
}

TEST(EndSigns, AreToldAgainOnceNothingWaitsToBeRead) {
    EndSigns signs(false);
    EXPECT_EQ(signs.next(reading(Mode::lines)), "\x04");
    EXPECT_EQ(signs.next(reading(Mode::lines, true)), "");
    EXPECT_EQ(signs.next(reading(Mode::edited, true)), "");
    EXPECT_EQ(signs.next(reading(Mode::edited)), "\x04");
    EXPECT_EQ(signs.next(reading(Mode::edited)), "\x04");
}

TEST(EndSigns, ALineEditorGetsTheEndOfItsLastLineFirst) {
    EndSigns signs(true);
    EXPECT_EQ(signs.next(reading(Mode::edited, true)), "");
    EXPECT_EQ(signs.next(reading(Mode::edited)), "\n\x04");
    EXPECT_EQ(signs.next(reading(Mode::edited)), "\x04");
}

TEST(EndSigns, WhatReadsBytesGetsNoneThatNobodySent) {
    EndSigns signs(true);
    EXPECT_EQ(signs.next(reading(Mode::bytes)), "");
    EXPECT_EQ(signs.next({.mode = Mode::lines, .end = 0}), "");
}

TEST(EndSigns, AreLookedAtSoonAtFirstAndOnceASecondLater) {
    EndSigns signs(false);
    EXPECT_LE(signs.pause().count(), 20);
    for (int round = 0; round < 20; ++round) {
        EXPECT_LE(signs.pause().count(), 1000);
    }
    EXPECT_EQ(signs.pause().count(), 1000);
}

}  // namespace
}  // namespace knarr::engine
