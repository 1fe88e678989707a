#include "engine/states.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using enum ContainerState;

struct Move {
    ContainerState from;
    Verb verb;
};

std::string move_name(const testing::TestParamInfo<Move>& info) {
    std::string name =
        std::string(knarr::name_of(info.param.from)) + "_" + std::string(name_of(info.param.verb));
    for (char& c : name) {
        c = c == ' ' || c == '-' ? '_' : c;
    }
    return name;
}

struct Allowed : Move {
    After to;
};

std::string allowed_name(const testing::TestParamInfo<Allowed>& info) {
    return move_name(testing::TestParamInfo<Move>(info.param, info.index));
}

class AllowedMove : public testing::TestWithParam<Allowed> {};

TEST_P(AllowedMove, LeadsToItsState) {
    const Result<After> after = next_state("web", GetParam().from, GetParam().verb);
    ASSERT_TRUE(after.has_value()) << after.error().message;
    EXPECT_EQ(*after, GetParam().to);
}

// Written out once more on purpose: a slip in kSteps must not slip into its own test.
INSTANTIATE_TEST_SUITE_P(States,
                         AllowedMove,
                         testing::Values(Allowed{{created, Verb::start}, After::running},
                                         Allowed{{created, Verb::kill}, After::created},
                                         Allowed{{running, Verb::kill}, After::running},
                                         Allowed{{paused, Verb::kill}, After::paused},
                                         Allowed{{created, Verb::remove}, After::gone},
                                         Allowed{{stopped, Verb::remove}, After::gone},
                                         Allowed{{creating, Verb::force_remove}, After::gone},
                                         Allowed{{created, Verb::force_remove}, After::gone},
                                         Allowed{{running, Verb::force_remove}, After::gone},
                                         Allowed{{paused, Verb::force_remove}, After::gone},
                                         Allowed{{stopped, Verb::force_remove}, After::gone},
                                         Allowed{{running, Verb::pause}, After::paused},
                                         Allowed{{paused, Verb::resume}, After::running},
                                         Allowed{{created, Verb::exec}, After::created},
                                         Allowed{{running, Verb::exec}, After::running},
                                         Allowed{{created, Verb::update}, After::created},
                                         Allowed{{running, Verb::update}, After::running},
                                         Allowed{{paused, Verb::update}, After::paused},
                                         Allowed{{running, Verb::checkpoint}, After::gone},
                                         Allowed{{paused, Verb::checkpoint}, After::gone}),
                         allowed_name);

class RefusedMove : public testing::TestWithParam<Move> {};

TEST_P(RefusedMove, SaysWhatIsAndWhatWouldBeNeeded) {
    const Result<After> after = next_state("web", GetParam().from, GetParam().verb);
    ASSERT_FALSE(after.has_value());
    EXPECT_EQ(after.error().code, Errc::wrong_state);
    const std::string is = "container web is " + std::string(knarr::name_of(GetParam().from));
    EXPECT_NE(after.error().message.find(is), std::string::npos) << after.error().message;
    EXPECT_NE(after.error().message.find(", not "), std::string::npos) << after.error().message;
}

INSTANTIATE_TEST_SUITE_P(States,
                         RefusedMove,
                         testing::Values(Move{creating, Verb::start},
                                         Move{running, Verb::start},
                                         Move{paused, Verb::start},
                                         Move{stopped, Verb::start},
                                         Move{creating, Verb::kill},
                                         Move{stopped, Verb::kill},
                                         Move{creating, Verb::remove},
                                         Move{running, Verb::remove},
                                         Move{paused, Verb::remove},
                                         Move{creating, Verb::pause},
                                         Move{created, Verb::pause},
                                         Move{paused, Verb::pause},
                                         Move{stopped, Verb::pause},
                                         Move{creating, Verb::resume},
                                         Move{created, Verb::resume},
                                         Move{running, Verb::resume},
                                         Move{stopped, Verb::resume},
                                         Move{creating, Verb::exec},
                                         Move{paused, Verb::exec},
                                         Move{stopped, Verb::exec},
                                         Move{creating, Verb::update},
                                         Move{stopped, Verb::update},
                                         Move{creating, Verb::checkpoint},
                                         Move{created, Verb::checkpoint},
                                         Move{stopped, Verb::checkpoint}),
                         move_name);

TEST(States, EveryPairIsEitherAllowedOrRefusedAbove) {
    EXPECT_EQ(kSteps.size() + 25, 5U * 9U);
}

}  // namespace
}  // namespace knarr::engine
