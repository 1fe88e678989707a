#include "engine/states.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using enum ContainerState;

struct Move {
    ContainerState from;
    Transition transition;
};

std::string move_name(const testing::TestParamInfo<Move>& info) {
    std::string name = std::string(knarr::name_of(info.param.from)) + "_" +
                       std::string(name_of(info.param.transition));
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
    const Result<After> after = next_state("web", GetParam().from, GetParam().transition);
    ASSERT_TRUE(after.has_value()) << after.error().message;
    EXPECT_EQ(*after, GetParam().to);
}

// Written out once more on purpose: a slip in kSteps must not slip into its own test.
INSTANTIATE_TEST_SUITE_P(States,
                         AllowedMove,
                         testing::Values(Allowed{{created, Transition::start}, After::running},
                                         Allowed{{created, Transition::kill}, After::created},
                                         Allowed{{running, Transition::kill}, After::running},
                                         Allowed{{paused, Transition::kill}, After::paused},
                                         Allowed{{created, Transition::remove}, After::gone},
                                         Allowed{{stopped, Transition::remove}, After::gone},
                                         Allowed{{creating, Transition::force_remove}, After::gone},
                                         Allowed{{created, Transition::force_remove}, After::gone},
                                         Allowed{{running, Transition::force_remove}, After::gone},
                                         Allowed{{paused, Transition::force_remove}, After::gone},
                                         Allowed{{stopped, Transition::force_remove}, After::gone},
                                         Allowed{{running, Transition::pause}, After::paused},
                                         Allowed{{paused, Transition::resume}, After::running},
                                         Allowed{{created, Transition::exec}, After::created},
                                         Allowed{{running, Transition::exec}, After::running},
                                         Allowed{{created, Transition::update}, After::created},
                                         Allowed{{running, Transition::update}, After::running},
                                         Allowed{{paused, Transition::update}, After::paused},
                                         Allowed{{running, Transition::checkpoint}, After::gone},
                                         Allowed{{paused, Transition::checkpoint}, After::gone}),
                         allowed_name);

class RefusedMove : public testing::TestWithParam<Move> {};

TEST_P(RefusedMove, SaysWhatIsAndWhatWouldBeNeeded) {
    const Result<After> after = next_state("web", GetParam().from, GetParam().transition);
    ASSERT_FALSE(after.has_value());
    EXPECT_EQ(after.error().code, Errc::wrong_state);
    const std::string is = "container web is " + std::string(knarr::name_of(GetParam().from));
    EXPECT_NE(after.error().message.find(is), std::string::npos) << after.error().message;
    EXPECT_NE(after.error().message.find(", not "), std::string::npos) << after.error().message;
}

INSTANTIATE_TEST_SUITE_P(States,
                         RefusedMove,
                         testing::Values(Move{creating, Transition::start},
                                         Move{running, Transition::start},
                                         Move{paused, Transition::start},
                                         Move{stopped, Transition::start},
                                         Move{creating, Transition::kill},
                                         Move{stopped, Transition::kill},
                                         Move{creating, Transition::remove},
                                         Move{running, Transition::remove},
                                         Move{paused, Transition::remove},
                                         Move{creating, Transition::pause},
                                         Move{created, Transition::pause},
                                         Move{paused, Transition::pause},
                                         Move{stopped, Transition::pause},
                                         Move{creating, Transition::resume},
                                         Move{created, Transition::resume},
                                         Move{running, Transition::resume},
                                         Move{stopped, Transition::resume},
                                         Move{creating, Transition::exec},
                                         Move{paused, Transition::exec},
                                         Move{stopped, Transition::exec},
                                         Move{creating, Transition::update},
                                         Move{stopped, Transition::update},
                                         Move{creating, Transition::checkpoint},
                                         Move{created, Transition::checkpoint},
                                         Move{stopped, Transition::checkpoint}),
                         move_name);

TEST(States, EveryPairIsEitherAllowedOrRefusedAbove) {
    EXPECT_EQ(kSteps.size() + 25, 5U * 9U);
}

}  // namespace
}  // namespace knarr::engine
