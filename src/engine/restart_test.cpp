#include "engine/restart.h"

#include <vector>

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

using Kind = RestartEvent::Kind;
using enum RestartEffect;

RestartState with(std::string_view policy) {
    RestartState state;
    state.policy = *parse_restart_policy(policy);
    return state;
}

/// One run from the due launch to its end, `run_ms` later.
RestartEffect run(RestartState& state, int code, std::int64_t& now, std::int64_t run_ms) {
    if (state.phase == RestartPhase::waiting) {
        now = state.due_ms;
        EXPECT_EQ(step(state, {.kind = Kind::due}, now), launch);
    }
    step(state, {.kind = Kind::runs}, now);
    now += run_ms;
    return step(state, {.kind = Kind::ended, .code = code}, now);
}

TEST(RestartPolicy, IsReadAsDockerSpellsIt) {
    EXPECT_EQ(parse_restart_policy("")->mode, RestartMode::no);
    EXPECT_EQ(parse_restart_policy("no")->mode, RestartMode::no);
    EXPECT_EQ(parse_restart_policy("always")->mode, RestartMode::always);
    EXPECT_EQ(parse_restart_policy("unless-stopped")->mode, RestartMode::unless_stopped);
    EXPECT_EQ(parse_restart_policy("on-failure:7")->max_retries, 7U);
    EXPECT_EQ(parse_restart_policy("on-failure")->max_retries, 0U);
    for (const char* bad :
         {"never", "always:3", "on-failure:", "on-failure:-1", "on-failure:x", "no:1", ":"}) {
        EXPECT_FALSE(parse_restart_policy(bad)) << bad;
    }
}

TEST(Restart, PausesGrowTwofoldToAMinuteAndBeginAgainAfterAGoodRun) {
    RestartState state = with("always");
    std::int64_t now = 1000;
    std::vector<std::int64_t> pauses;
    for (int i = 0; i < 12; ++i) {
        EXPECT_EQ(run(state, 1, now, 50), wait);
        pauses.push_back(state.due_ms - now);
    }
    EXPECT_EQ(pauses,
              (std::vector<std::int64_t>{
                  100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000}));
    EXPECT_EQ(state.count, 11U) << "the first run was no restart";
    EXPECT_EQ(run(state, 0, now, 9999), wait);
    EXPECT_EQ(state.backoff_ms, 60000);
    EXPECT_EQ(run(state, 0, now, 10000), wait);
    EXPECT_EQ(state.backoff_ms, 100);
    EXPECT_EQ(state.count, 13U);
}

TEST(Restart, OnFailureLooksAtTheCodeAndCounts) {
    RestartState state = with("on-failure:2");
    std::int64_t now = 0;
    EXPECT_EQ(run(state, 3, now, 1), wait);
    EXPECT_EQ(run(state, 3, now, 1), wait);
    EXPECT_EQ(run(state, 3, now, 1), none);
    EXPECT_EQ(state.count, 2U);
    RestartState good = with("on-failure");
    EXPECT_EQ(run(good, 0, now, 1), none);
    EXPECT_EQ(run(good, -1, now, 1), wait) << "an end that nobody saw is no success";
    RestartState never = with("no");
    EXPECT_EQ(run(never, 1, now, 1), none);
}

TEST(Restart, WhoStopsItByHandIsObeyedUntilItIsStarted) {
    for (const char* policy : {"always", "unless-stopped", "on-failure"}) {
        RestartState state = with(policy);
        std::int64_t now = 0;
        step(state, {.kind = Kind::runs}, now);
        step(state, {.kind = Kind::stopped_by_hand}, now);
        EXPECT_EQ(step(state, {.kind = Kind::ended, .code = 143}, now), none) << policy;
        EXPECT_EQ(step(state, {.kind = Kind::started_by_hand}, now), launch);
        EXPECT_EQ(run(state, 1, now, 1), wait) << policy;
        step(state, {.kind = Kind::stopped_by_hand}, now);
        EXPECT_EQ(state.phase, RestartPhase::idle) << "a pause ends, too";
        EXPECT_EQ(step(state, {.kind = Kind::due}, now), none);
    }
}

TEST(Restart, ALaunchThatFailsCountsAsARunThatFailed) {
    RestartState state = with("on-failure:1");
    std::int64_t now = 0;
    EXPECT_EQ(run(state, 1, now, 1), wait);
    EXPECT_EQ(step(state, {.kind = Kind::due}, state.due_ms), launch);
    EXPECT_EQ(state.phase, RestartPhase::launching);
    EXPECT_EQ(step(state, {.kind = Kind::launch_failed}, 200), none);
    EXPECT_EQ(state.phase, RestartPhase::idle);
    RestartState always = with("always");
    EXPECT_EQ(step(always, {.kind = Kind::launch_failed}, 500), wait);
    EXPECT_EQ(always.due_ms, 600);
}

TEST(Restart, APolicyOfNoEndsThePauseAndAnotherOneStartsNothing) {
    RestartState state = with("always");
    std::int64_t now = 0;
    EXPECT_EQ(run(state, 1, now, 1), wait);
    step(state, {.kind = Kind::policy_changed, .policy = {}}, now);
    EXPECT_EQ(state.phase, RestartPhase::idle);
    step(state, {.kind = Kind::policy_changed, .policy = {.mode = RestartMode::always}}, now);
    EXPECT_EQ(state.phase, RestartPhase::idle);
}

TEST(Restart, AtBootDependsOnPolicyAndOnWhoStoppedIt) {
    struct Case {
        const char* policy;
        StoppedBy stopped;
        int code;
        RestartEffect effect;
    };
    using enum StoppedBy;
    for (const Case& one : std::vector<Case>{{"no", nobody, -1, none},
                                             {"always", nobody, 0, launch},
                                             {"always", hand, 0, launch},
                                             {"always", StoppedBy::shutdown, 0, launch},
                                             {"unless-stopped", nobody, 0, launch},
                                             {"unless-stopped", hand, 0, none},
                                             {"unless-stopped", StoppedBy::shutdown, 0, launch},
                                             {"on-failure", nobody, 0, none},
                                             {"on-failure", nobody, -1, launch},
                                             {"on-failure", hand, -1, none},
                                             {"on-failure", StoppedBy::shutdown, 143, launch}}) {
        RestartState state = with(one.policy);
        state.stopped_by = one.stopped;
        EXPECT_EQ(step(state, {.kind = Kind::booted, .code = one.code}, 0), one.effect)
            << one.policy << " " << static_cast<int>(one.stopped);
    }
}

TEST(Restart, OneThatIsUnhealthyRunsAgainOnceWhateverItsPolicy) {
    RestartState state = with("no");
    std::int64_t now = 1000;
    step(state, {.kind = Kind::runs}, now);
    step(state, {.kind = Kind::unhealthy}, now);
    EXPECT_EQ(step(state, {.kind = Kind::ended, .code = 0}, now), wait);
    EXPECT_EQ(run(state, 0, now, 50), none) << "not after the next run";
    EXPECT_EQ(state.count, 1U);
    step(state, {.kind = Kind::unhealthy}, now);
    step(state, {.kind = Kind::stopped_by_hand}, now);
    EXPECT_EQ(step(state, {.kind = Kind::ended, .code = 0}, now), none) << "nor when it is stopped";
}

TEST(Restart, IsReadBackAsItWasWritten) {
    const RestartState state{.policy = {.mode = RestartMode::on_failure, .max_retries = 4},
                             .phase = RestartPhase::waiting,
                             .stopped_by = StoppedBy::shutdown,
                             .count = 3,
                             .backoff_ms = 800,
                             .due_ms = 123456,
                             .started_ms = 99,
                             .forced = true};
    spec::JsonWriter json;
    json.begin_object();
    write_restart(json, state);
    json.end_object();
    const auto document = spec::JsonDocument::parse(json.text(), {.name = "x"});
    RestartState back;
    ASSERT_TRUE(read_restart(document->root(), back));
    EXPECT_EQ(back, state);
    const auto wrong = spec::JsonDocument::parse(R"({"restart":{"policy":"often","maxRetries":0}})",
                                                 {.name = "x"});
    EXPECT_FALSE(read_restart(wrong->root(), back));
}

}  // namespace
}  // namespace knarr::engine
