// After everything was killed at once, and after the power was lost: `recover` brings back what
// there was, what was just being made can be removed, and others are unaffected.

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

constexpr RestartPolicy kAlways{.mode = RestartMode::always, .max_retries = 0};

int run_old() {
    return run_in_background("old", {.restart = kAlways});
}
int run_new() {
    return run_in_background("new", {.restart = kAlways});
}
int stop_old() {
    return stop("old", 1);
}
int recover_gently() {
    return recover(false);
}
int recover_by_force() {
    return recover(true);
}

/// Removes both and looks at what is left.
void expect_removable(Simulation& sim, const std::string& when) {
    EXPECT_EQ(sim.run("recover", recover_by_force), 0) << when << "\n" << sim.tail();
    sim.run_for(3000);
    for (const char* id : {"old", "new"}) {
        EXPECT_EQ(sim.run("rm", [id] { return remove(id, RemoveMode::force); }), 0) << when << "\n"
                                                                                    << sim.tail();
    }
    sim.run_for(5000);
    EXPECT_EQ(leftovers(sim), "") << when << "\n" << sim.tail();
}

TEST(Recover, AfterEverythingOfOursIsKilled) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("old", {"write:100", "sleep:20000", "write:100", "exit:7"});
        make_bundle("new", {"sleep:1000000"});
        ASSERT_EQ(sim.run("run", run_old), 0) << sim.tail();
        Process& making = sim.start("run", run_new);
        sim.run_for_us(static_cast<std::int64_t>(draw() % 4000));
        for (Process* process : world->processes) {
            if (process->role != Role::program) {
                kill_process(*process, SIGKILL);
            }
        }
        ASSERT_TRUE(sim.finish({&making}));
        ASSERT_EQ(sim.run("recover", recover_gently), 0) << sim.tail();
        EXPECT_EQ(state_of(sim, "old"), "running") << sim.tail();
        // Somebody watches it again: its output goes on, and its policy holds.
        sim.run_for(30'000);
        EXPECT_EQ(logged(sim, "old"),
                  program_output(100) + program_output(100) + program_output(100))
            << sim.tail(200);
        EXPECT_EQ(sim.run("stop", stop_old), 0) << sim.tail();
        expect_removable(sim, "after a kill of all");
    });
}

/// The power is lost so long after a run has begun, beside a container that is there for long.
/// Whether that run had come to its end.
bool lose_power_after(std::uint64_t seed, std::int64_t us) {
    Simulation sim(settings_of(seed));
    make_bundle("old", {"write:100", "sleep:1000000"});
    make_bundle("new", {"write:100", "sleep:1000000"});
    EXPECT_EQ(sim.run("run", run_old), 0) << sim.tail();
    sim.run_for(1000);
    sim.sync();
    const Process& making = sim.start("run", run_new);
    sim.run_for_us(us);
    const bool made = !is_alive(making);
    const std::string when = fmt::format("the power is lost after {} us", us);
    sim.lose_power();
    const int code = sim.run("recover", recover_gently);
    EXPECT_TRUE(code == 0 || code == 1) << when << ": " << code << "\n" << sim.tail();
    sim.run_for(2000);
    EXPECT_EQ(state_of(sim, "old"), "running") << when << "\n" << sim.tail(200);
    EXPECT_EQ(logged(sim, "old"), program_output(100) + program_output(100)) << when;
    EXPECT_NE(state_of(sim, "new"), "stuck") << when << "\n" << sim.tail();
    EXPECT_EQ(sim.run("stop", stop_old), 0) << when << "\n" << sim.tail();
    expect_removable(sim, when);
    return made;
}

TEST(Recover, AfterThePowerIsLostAtAnyMomentOfARun) {
    with_seeds(5, [](std::uint64_t seed) {
        const std::int64_t step = seed == 42 ? 40 : 300;
        std::int64_t us = 0;
        while (!lose_power_after(seed, us) && !testing::Test::HasFailure()) {
            us += step;
        }
        EXPECT_GT(us, 1000);
    });
}

}  // namespace
}  // namespace knarr::sim
