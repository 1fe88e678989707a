#include "engine/console.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

TEST(Console, WithoutATerminalNothingIsSentAnywhere) {
    for (const Stay stay : {Stay::foreground, Stay::leaves}) {
        EXPECT_EQ(choose_console(false, "", stay).value(), ConsoleWay::none);
        const auto refused = choose_console(false, "/s", stay);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    }
}

TEST(Console, ASocketReceivesTheTerminalHoweverLongWeStay) {
    EXPECT_EQ(choose_console(true, "/s", Stay::foreground).value(), ConsoleWay::socket);
    EXPECT_EQ(choose_console(true, "/s", Stay::leaves).value(), ConsoleWay::socket);
}

TEST(Console, WithoutASocketWeRelayIfWeStayAndRefuseInRuncsWordsIfWeLeave) {
    EXPECT_EQ(choose_console(true, "", Stay::foreground).value(), ConsoleWay::relay);
    const auto refused = choose_console(true, "", Stay::leaves);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
    EXPECT_NE(refused.error().message.find("will detach without setting console socket"),
              std::string::npos);
}

}  // namespace
}  // namespace knarr::engine
