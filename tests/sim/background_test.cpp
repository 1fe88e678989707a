// Containers in the background: the monitors, exit codes, logs.

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

TEST(Background, ExitCodeAndLogAreKept) {
    with_seeds(20, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"write:5000", "sleep:100", "write:100", "err:77", "exit:7"});
        ASSERT_EQ(sim.run("run", [] { return run_in_background("web", {}); }), 0) << sim.tail();
        sim.run_for(3000);
        Process& waiting = sim.start("wait", [] { return wait("web"); });
        ASSERT_TRUE(sim.finish({&waiting})) << sim.tail();
        EXPECT_EQ(view(waiting.answer), "7") << sim.tail();
        EXPECT_EQ(logged(sim, "web"), program_output(5000) + program_output(100)) << sim.tail();
        EXPECT_EQ(logged(sim, "web", engine::LogStream::err), program_output(77)) << sim.tail();
        ASSERT_EQ(sim.run("rm", [] { return remove("web", RemoveMode::when_stopped); }), 0)
            << sim.tail();
        sim.run_for(3000);
        EXPECT_EQ(leftovers(sim), "") << sim.tail();
    });
}

/// Kills one of those that a run in the background starts, before its call of that number. False:
/// it did not get that far.
bool kill_one(std::uint64_t seed, const Treatment& treatment) {
    Simulation sim(settings_of(seed));
    make_bundle("web", {"write:3000", "sleep:50", "write:2000", "exit:7"});
    const int code = sim.run("run", [] { return run_in_background("web", {}); }, treatment);
    const std::string when =
        fmt::format("{} below killed at {}", treatment.victim_below, treatment.kill_at);
    EXPECT_NE(code, -1) << when << ": stuck\n" << sim.tail();
    sim.run_for(5000);
    Process& waiting = sim.start("wait", [] { return wait("web"); });
    EXPECT_TRUE(sim.finish({&waiting})) << when << ": wait is stuck\n" << sim.tail(200);
    const bool exists = code_of(waiting) == 0;
    EXPECT_TRUE(exists || code != 0) << when << ": " << view(waiting.answer) << sim.tail(200);
    if (code == 0 && exists) {
        EXPECT_EQ(view(waiting.answer), "7") << when << "\n" << sim.tail(200);
        const std::string all = program_output(3000) + program_output(2000);
        const std::string kept = logged(sim, "web");
        EXPECT_TRUE(kept == all) << when << ": " << kept.size() << " bytes\n" << sim.tail(200);
    }
    expect_removable(sim, "web", when);
    return world->kills > 0;
}

void kill_below(int depth) {
    with_seeds(0, [&](std::uint64_t seed) {
        std::int64_t at = 1;
        while (at < 2000 && kill_one(seed, {.kill_at = at, .victim_below = depth}) &&
               !testing::Test::HasFailure()) {
            at += stride_of(seed);
        }
        EXPECT_GT(at, 5);
    });
}

TEST(Background, RunIsKilledAnywhere) {
    kill_below(0);
}
TEST(Background, MonitorThatStandsByIsKilledAnywhere) {
    kill_below(1);
}
TEST(Background, MonitorThatWatchesIsKilledAnywhere) {
    kill_below(2);
}
TEST(Background, LauncherIsKilledAnywhere) {
    kill_below(3);
}

}  // namespace
}  // namespace knarr::sim
