#include "engine/watch.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using Event = WatchEvent::Kind;
using Effect = WatchEffect::Kind;

std::vector<Effect> kinds(const std::vector<WatchEffect>& effects) {
    std::vector<Effect> out;
    out.reserve(effects.size());
    for (const WatchEffect& effect : effects) {
        out.push_back(effect.kind);
    }
    return out;
}

TEST(Watch, GoesFromTheLaunchToTheRecordedEnd) {
    Watch watch;
    EXPECT_TRUE(watch.step({.kind = Event::launched, .pid = 7}).empty());
    EXPECT_TRUE(watch.step({.kind = Event::ended, .pid = 8, .code = 1}).empty()) << "a stranger";
    EXPECT_EQ(kinds(watch.step({.kind = Event::ended, .pid = 7, .code = 3})),
              std::vector{Effect::drain});
    const auto effects = watch.step({.kind = Event::drained});
    EXPECT_EQ(effects, (std::vector<WatchEffect>{{.kind = Effect::conclude, .code = 3}}));
    EXPECT_EQ(kinds(watch.step({.kind = Event::concluded})), std::vector{Effect::leave});
    EXPECT_EQ(watch.phase(), WatchPhase::done);
}

TEST(Watch, KeepsAnEndThatComesBeforeTheLaunchIsKnown) {
    Watch watch;
    EXPECT_TRUE(watch.step({.kind = Event::ended, .pid = 7, .code = 0}).empty());
    EXPECT_TRUE(watch.step({.kind = Event::ended, .pid = 9, .code = 1}).empty());
    EXPECT_EQ(kinds(watch.step({.kind = Event::launched, .pid = 7})), std::vector{Effect::drain});
    EXPECT_EQ(watch.step({.kind = Event::drained}).front().code, 0);
}

TEST(Watch, LeavesWhatAFailedLauncherHasUndoneAndClearsWhatAKilledOneLeft) {
    Watch failed;
    EXPECT_EQ(kinds(failed.step({.kind = Event::launch_failed})), std::vector{Effect::leave});
    Watch killed;
    EXPECT_EQ(kinds(killed.step({.kind = Event::launch_killed})), std::vector{Effect::clear});
    EXPECT_EQ(kinds(killed.step({.kind = Event::concluded})), std::vector{Effect::leave});
}

TEST(Watch, RestsUntilItIsDueAndLooksAnewAfterEachAttempt) {
    Watch watch;
    watch.step({.kind = Event::launched, .pid = 7});
    watch.step({.kind = Event::ended, .pid = 7, .code = 1});
    watch.step({.kind = Event::drained});
    EXPECT_EQ(kinds(watch.step({.kind = Event::to_restart})), std::vector{Effect::rest});
    EXPECT_EQ(watch.phase(), WatchPhase::resting);
    EXPECT_TRUE(watch.step({.kind = Event::concluded}).empty());
    EXPECT_EQ(kinds(watch.step({.kind = Event::due})), std::vector{Effect::relaunch});
    EXPECT_EQ(kinds(watch.step({.kind = Event::attempted})), std::vector{Effect::look});
    EXPECT_EQ(watch.phase(), WatchPhase::launching) << "it knows nothing any more";
    EXPECT_EQ(watch.pid(), 0);
    // It failed, and there is another try; one that is taken back ends it.
    EXPECT_EQ(kinds(watch.step({.kind = Event::to_restart})), std::vector{Effect::rest});
    EXPECT_EQ(kinds(watch.step({.kind = Event::removed})), std::vector{Effect::leave});
}

TEST(Watch, ALaunchThatWasKilledMayBeTriedAgain) {
    Watch watch;
    EXPECT_EQ(kinds(watch.step({.kind = Event::launch_killed})), std::vector{Effect::clear});
    EXPECT_EQ(kinds(watch.step({.kind = Event::to_restart})), std::vector{Effect::rest});
}

TEST(Watch, AnEndThatNobodyKnowsIsConcludedWithoutACode) {
    Watch watch;
    watch.step({.kind = Event::launched, .pid = 7});
    watch.step({.kind = Event::ended, .pid = 7});
    EXPECT_EQ(watch.step({.kind = Event::drained}).front().code, std::nullopt);
}

TEST(Watch, LeavesOnceWhenTheContainerIsRemovedWhateverItWasDoing) {
    const std::vector<std::vector<WatchEvent>> ways{
        {},
        {{.kind = Event::launched, .pid = 7}},
        {{.kind = Event::launched, .pid = 7}, {.kind = Event::ended, .pid = 7, .code = 0}},
        {{.kind = Event::launched, .pid = 7},
         {.kind = Event::ended, .pid = 7, .code = 0},
         {.kind = Event::drained}}};
    for (const auto& way : ways) {
        Watch watch;
        for (const WatchEvent& event : way) {
            watch.step(event);
        }
        EXPECT_EQ(kinds(watch.step({.kind = Event::removed})), std::vector{Effect::leave});
        EXPECT_TRUE(watch.step({.kind = Event::removed}).empty());
        EXPECT_TRUE(watch.step({.kind = Event::concluded}).empty());
    }
}

TEST(Watch, RefusesEventsThatDoNotBelongToItsPhase) {
    Watch watch;
    for (const Event kind : {Event::drained, Event::concluded}) {
        EXPECT_TRUE(watch.step({.kind = kind}).empty());
        EXPECT_EQ(watch.phase(), WatchPhase::launching);
    }
    watch.step({.kind = Event::launched, .pid = 7});
    for (const Event kind : {Event::drained,
                             Event::concluded,
                             Event::launched,
                             Event::launch_failed,
                             Event::launch_killed}) {
        EXPECT_TRUE(watch.step({.kind = kind, .pid = 8}).empty());
        EXPECT_EQ(watch.phase(), WatchPhase::running);
    }
}

}  // namespace
}  // namespace knarr::engine
