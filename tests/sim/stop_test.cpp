// How long `stop` waits, by the machine's own clock: KILL at the deadline and not before, and no
// waiting for what has ended.

#include <chrono>
#include <csignal>
#include <optional>

#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

using Seconds = std::optional<std::chrono::seconds>;

void run_program(Simulation& sim, const char* first) {
    make_bundle("c1", {first, "sleep:100000000"});
    ASSERT_EQ(sim.run("create", [] { return create("c1"); }), 0) << sim.tail();
    ASSERT_EQ(sim.run("start", [] { return start("c1"); }), 0) << sim.tail();
    sim.run_for(10);
    ASSERT_EQ(state_of(sim, "c1"), "running") << sim.tail();
}

int stop_after(const Seconds& timeout) {
    return verb([&](Engine& engine) -> Result<int> {
        KNARR_TRY(engine.stop("c1", {.signal = "", .timeout = timeout}));
        return 0;
    });
}

void check_deadline(std::uint64_t seed, const Seconds& timeout, std::int64_t grace_ms) {
    Simulation sim(settings_of(seed));
    run_program(sim, "stubborn");
    const Process& stopping = sim.start("stop", [&] { return stop_after(timeout); });
    sim.run_for(grace_ms - 50);
    EXPECT_EQ(state_of(sim, "c1"), "running") << "killed too early\n" << sim.tail();
    sim.run_for(200);
    EXPECT_EQ(state_of(sim, "c1"), "stopped") << "not killed in time\n" << sim.tail();
    ASSERT_TRUE(sim.finish({&stopping})) << sim.tail();
    EXPECT_EQ(code_of(stopping), 0);
}

TEST(Stop, KillsAfterThirtySecondsWhereNobodySaysHowLong) {
    with_seeds(5, [](std::uint64_t seed) { check_deadline(seed, std::nullopt, 30'000); });
}

TEST(Stop, KillsWhenTheAskedTimeIsUp) {
    with_seeds(5,
               [](std::uint64_t seed) { check_deadline(seed, std::chrono::seconds(10), 10'000); });
}

TEST(Stop, NeverSleepsOutTheGraceOfAProgramThatEnds) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        run_program(sim, "ends:0");
        const std::int64_t began = world->now;
        ASSERT_EQ(sim.run("stop", [] { return stop_after(std::nullopt); }), 0) << sim.tail();
        EXPECT_LT(world->now - began, 100'000'000) << sim.tail();
        EXPECT_EQ(state_of(sim, "c1"), "stopped");
    });
}

}  // namespace
}  // namespace knarr::sim
