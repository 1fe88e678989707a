// What is behind a window and whoever is in front of it, killed before each of their system calls
// and with a fault at each: the container and its log are whole, nobody waits for ever, and the
// window is as it was.

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

constexpr std::int64_t kMaxCalls = 2000;

int run_web() {
    return run_in_front("web", kInTerminal);
}
int run_behind() {
    return run_in_background("web", kInTerminal);
}
int attach_web() {
    return attach("web");
}
int exec_web() {
    return exec_in_terminal("web", {"write:2000", "sleep:50", "exit:3"});
}

std::string all_output() {
    return program_output(3000) + program_output(2000);
}

std::string say(const Treatment& treatment) {
    return fmt::format("{} below: killed at {}, EIO at {}, the disk full at {}",
                       treatment.victim_below,
                       treatment.kill_at,
                       treatment.fail_at,
                       treatment.full_at);
}

bool was_reached() {
    return world->kills + world->faults > 0;
}

/// What a full disk holds up goes on when there is room again.
void make_room(Simulation& sim) {
    sim.run_for(3000);
    world->disk_full = false;
}

/// What holds of a container that was started, however its callers ended. Whether it ran.
bool expect_whole(Simulation& sim, const std::string& when) {
    Process& waiting = sim.start("wait", [] { return wait("web"); });
    EXPECT_TRUE(sim.finish({&waiting})) << when << ": wait is stuck\n" << sim.tail(200);
    const bool ran = code_of(waiting) == 0 && view(waiting.answer) == "7";
    if (ran) {
        const std::string kept = logged(sim, "web");
        EXPECT_TRUE(kept == all_output()) << when << ": " << kept.size() << " bytes\n"
                                          << sim.tail(300);
    }
    return ran;
}

/// One of those that a run in front of a window starts.
bool run_once(std::uint64_t seed, const Treatment& treatment) {
    Simulation sim(settings_of(seed));
    Terminal& window = sim.open_window(24, 80);
    make_bundle("web", {"write:3000", "sleep:50", "write:2000", "exit:7"}, Streams::terminal);
    Treatment treated = treatment;
    treated.window = &window;
    const std::string when = say(treatment);
    Process& client = sim.start("run", run_web, treated);
    make_room(sim);
    EXPECT_TRUE(sim.finish({&client})) << when << ": stuck\n" << sim.tail(200);
    sim.run_for(3000);
    EXPECT_FALSE(is_raw(window)) << when << "\n" << sim.tail();
    const bool ran = expect_whole(sim, when);
    if (code_of(client) == 7) {
        EXPECT_TRUE(ran) << when << "\n" << sim.tail();
        EXPECT_TRUE(view(window.screen) == on_screen(all_output()))
            << when << ": " << window.screen.size() << " bytes are shown\n"
            << sim.tail(300);
    }
    if (world->kills > 0 && treatment.victim_below > 0 && treatment.victim_below < 3 && ran) {
        EXPECT_EQ(code_of(client), 7) << when << ": " << view(client.answer) << "\n" << sim.tail();
    }
    expect_removable(sim, "web", when);
    return was_reached();
}

/// One who comes later, to a container that goes on for a second.
bool attach_once(std::uint64_t seed, const Treatment& treatment, bool leaves) {
    Simulation sim(settings_of(seed));
    Terminal& window = sim.open_window(24, 80);
    make_bundle(
        "web", {"sleep:500", "write:3000", "sleep:500", "write:2000", "exit:7"}, Streams::terminal);
    const std::string when = say(treatment) + (leaves ? ", leaves" : "");
    EXPECT_EQ(sim.run("run", run_behind), 0) << when << "\n" << sim.tail();
    Treatment treated = treatment;
    treated.window = &window;
    Process& client = sim.start("attach", attach_web, treated);
    if (leaves) {
        sim.run_for(700);
        type_into(window, kDetachKeys);
    }
    make_room(sim);
    EXPECT_TRUE(sim.finish({&client})) << when << ": stuck\n" << sim.tail(200);
    sim.run_for(3000);
    EXPECT_FALSE(is_raw(window)) << when << "\n" << sim.tail();
    EXPECT_TRUE(expect_whole(sim, when)) << when << "\n" << sim.tail();
    if (code_of(client) == 7) {
        EXPECT_TRUE(view(window.screen) == on_screen(all_output()))
            << when << ": " << window.screen.size() << " bytes are shown\n"
            << sim.tail(300);
    }
    expect_removable(sim, "web", when);
    return was_reached();
}

bool stay_once(std::uint64_t seed, const Treatment& treatment) {
    return attach_once(seed, treatment, false);
}
bool leave_once(std::uint64_t seed, const Treatment& treatment) {
    return attach_once(seed, treatment, true);
}

/// A program of its own in a container that runs on.
bool exec_once(std::uint64_t seed, const Treatment& treatment) {
    Simulation sim(settings_of(seed));
    Terminal& window = sim.open_window(24, 80);
    make_bundle("web", {"ends:0", "sleep:1000000"}, Streams::terminal);
    const std::string when = say(treatment);
    EXPECT_EQ(sim.run("run", run_behind), 0) << when << "\n" << sim.tail();
    Treatment treated = treatment;
    treated.window = &window;
    Process& client = sim.start("exec", exec_web, treated);
    make_room(sim);
    EXPECT_TRUE(sim.finish({&client})) << when << ": stuck\n" << sim.tail(200);
    sim.run_for(1000);
    EXPECT_FALSE(is_raw(window)) << when << "\n" << sim.tail();
    if (code_of(client) == 3) {
        EXPECT_TRUE(view(window.screen) == on_screen(program_output(2000)))
            << when << ": " << window.screen.size() << " bytes are shown\n"
            << sim.tail(200);
    }
    EXPECT_EQ(sim.living().size(), 3U) << when << "\n" << sim.tail();  // two of them monitors
    EXPECT_EQ(state_of(sim, "web"), "running") << when << "\n" << sim.tail();
    Terminal& other = sim.open_window(24, 80);
    EXPECT_EQ(sim.run("exec again", exec_web, {.window = &other}), 3) << when << "\n" << sim.tail();
    expect_removable(sim, "web", when);
    return was_reached();
}

using Once = bool (*)(std::uint64_t seed, const Treatment& treatment);

void kill_everywhere(Once once, int below = 0) {
    with_seeds(0, [&](std::uint64_t seed) {
        std::int64_t at = 1;
        while (at < kMaxCalls && once(seed, {.kill_at = at, .victim_below = below}) &&
               !testing::Test::HasFailure()) {
            at += stride_of(seed);
        }
        EXPECT_GT(at, 5);
    });
}

void fail_everywhere(Once once, int below = 0) {
    with_seeds(0, [&](std::uint64_t seed) {
        for (const bool full : {false, true}) {
            std::int64_t at = 1;
            while (at < kMaxCalls &&
                   once(seed,
                        {.victim_below = below,
                         .fail_at = full ? -1 : at,
                         .full_at = full ? at : -1}) &&
                   !testing::Test::HasFailure()) {
                at += stride_of(seed);
            }
            EXPECT_GT(at, 5);
        }
    });
}

TEST(KilledInTerminal, Run) {
    kill_everywhere(run_once);
}
TEST(KilledInTerminal, MonitorThatStandsBy) {
    kill_everywhere(run_once, 1);
}
TEST(KilledInTerminal, MonitorThatWatches) {
    kill_everywhere(run_once, 2);
}
TEST(KilledInTerminal, Launcher) {
    kill_everywhere(run_once, 3);
}
TEST(KilledInTerminal, Attach) {
    kill_everywhere(stay_once);
}
TEST(KilledInTerminal, AttachThatLeaves) {
    kill_everywhere(leave_once);
}
TEST(KilledInTerminal, WhoShowsTheLog) {
    kill_everywhere(stay_once, 1);
}
TEST(KilledInTerminal, Exec) {
    kill_everywhere(exec_once);
}
TEST(KilledInTerminal, ProcessOfExecWhileItIsSetUp) {
    kill_everywhere(exec_once, 1);
}

TEST(FaultsInTerminal, Run) {
    fail_everywhere(run_once);
}
TEST(FaultsInTerminal, MonitorThatStandsBy) {
    fail_everywhere(run_once, 1);
}
TEST(FaultsInTerminal, MonitorThatWatches) {
    fail_everywhere(run_once, 2);
}
TEST(FaultsInTerminal, Launcher) {
    fail_everywhere(run_once, 3);
}
TEST(FaultsInTerminal, Attach) {
    fail_everywhere(stay_once);
}
TEST(FaultsInTerminal, AttachThatLeaves) {
    fail_everywhere(leave_once);
}
TEST(FaultsInTerminal, WhoShowsTheLog) {
    fail_everywhere(stay_once, 1);
}
TEST(FaultsInTerminal, Exec) {
    fail_everywhere(exec_once);
}

}  // namespace
}  // namespace knarr::sim
