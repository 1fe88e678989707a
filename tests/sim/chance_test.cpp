// Whatever happens by chance: verbs of several clients at once, kills and faults anywhere. However
// it goes, nobody waits for ever, what is removed leaves nothing, and what was promised holds.

#include <algorithm>
#include <array>
#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

constexpr std::size_t kOutput = 6000;
constexpr int kExitCode = 7;

struct Chances {
    unsigned kill_ppm = 0, fault_ppm = 0;
    unsigned clients = 3;
    bool torn_rename = false, lost_locks = false, lossy_splice = false;
};

struct Verb {
    std::string_view name;
    int (*run)();
    /// For the end of the container, or of a program in it, for as long as it is paused.
    bool waits = false;
};

constexpr std::array kVerbs{
    Verb{"kill -s TERM", [] { return kill("web", SIGTERM); }},
    Verb{"kill -s KILL", [] { return kill("web", SIGKILL); }},
    Verb{"stop", [] { return stop("web", 1); }},
    Verb{"pause", [] { return pause("web"); }},
    Verb{"resume", [] { return resume("web"); }},
    Verb{"delete", [] { return remove("web", RemoveMode::when_stopped); }},
    Verb{"delete --force", [] { return remove("web", RemoveMode::force); }},
    Verb{"wait", [] { return wait("web"); }, true},
    Verb{"start", [] { return start("web"); }},
    Verb{"exec", [] { return exec("web", {"sleep:50", "exit:3"}, 0); }, true},
    Verb{"attach", [] { return attach("web"); }, true},
    Verb{"exec -t",
         [] { return exec_in_terminal("web", {"write:500", "sleep:50", "exit:3"}); },
         true},
    Verb{"state", [] { return state("web"); }},
};

/// Chance ends here: what is left must be told and removed without it.
void calm(bool faults_only) {
    world->settings.fault_ppm = 0;
    world->settings.kill_ppm = faults_only ? world->settings.kill_ppm : 0;
}

std::string clean_up(Simulation& sim) {
    calm(false);
    sim.run_for(3000);
    Process& gone = sim.start("rm", [] { return remove("web", RemoveMode::force); });
    if (!sim.finish({&gone})) {
        return "rm is stuck";
    }
    if (code_of(gone) != 0) {
        return fmt::format("rm failed: {}", view(gone.answer));
    }
    sim.run_for(5000);
    const std::string left = leftovers(sim);
    return left.empty() ? "" : "left: " + left;
}

/// Contrary verbs at once on one container. What went wrong; empty: nothing.
std::string contrary(Simulation& sim, unsigned clients) {
    const bool terminal = draw() % 2 == 0;
    make_bundle("web",
                {"ends:7", "write:100", "sleep:3000", "exit:7"},
                terminal ? Streams::terminal : Streams::plain);
    sim.run("run",
            [=] { return run_in_background("web", {.terminal = terminal}); },
            {.may_fail = true});
    std::vector<Process*> all;
    std::vector<const Process*> waiting;
    std::vector<Terminal*> windows;
    for (unsigned i = 0; i < clients; ++i) {
        const Verb& verb = kVerbs[draw() % kVerbs.size()];
        windows.push_back(&sim.open_window(24, 80));
        all.push_back(&sim.start(
            std::string(verb.name), verb.run, {.may_fail = true, .window = windows.back()}));
        if (verb.waits) {
            waiting.push_back(all.back());
        }
    }
    if (draw() % 2 == 0) {
        sim.run_for(100);
        for (Terminal* window : windows) {
            type_into(*window, kDetachKeys);
        }
    }
    sim.run_for(20'000);
    for (const Process* one : all) {
        if (is_alive(*one) && std::ranges::find(waiting, one) == waiting.end()) {
            return fmt::format("{} is stuck", view(one->name));
        }
    }
    std::string wrong = clean_up(sim);
    for (const Process* one : all) {
        if (wrong.empty() && is_alive(*one)) {
            wrong = fmt::format("{} is stuck after all was removed", view(one->name));
        }
    }
    for (const Terminal* window : windows) {
        // Unless the one that restores it was killed, too.
        if (wrong.empty() && world->kills == 0 && is_raw(*window)) {
            wrong = "a window was left in raw mode";
        }
    }
    return wrong;
}

/// A container runs to its end while its monitors are killed by chance, never two at once: code
/// and log are there.
std::string outlives(Simulation& sim) {
    make_bundle("web",
                {"write:2000", "sleep:500", "write:2000", "sleep:500", "write:2000", "exit:7"});
    const unsigned ppm = std::exchange(world->settings.kill_ppm, 0);
    if (sim.run("run", [] { return run_in_background("web", {}); }) != 0) {
        return "run failed";
    }
    for (int round = 0; round < 3; ++round) {
        sim.run_for(static_cast<std::int64_t>(draw() % 400));
        std::vector<Process*> monitors;
        for (Process* process : world->processes) {
            if (is_alive(*process) && view(process->name) == "knarr-monitor") {
                monitors.push_back(process);
            }
        }
        if (!monitors.empty() && chance(ppm)) {
            kill_process(*monitors[draw() % monitors.size()], SIGKILL);
        }
        sim.run_for(2000);
    }
    Process& waiting = sim.start("wait", [] { return wait("web"); });
    if (!sim.finish({&waiting})) {
        return "wait is stuck";
    }
    if (view(waiting.answer) != fmt::format("{}", kExitCode)) {
        return fmt::format("the exit code is {}", view(waiting.answer));
    }
    const std::string kept = logged(sim, "web");
    if (kept != program_output(2000) + program_output(2000) + program_output(2000)) {
        return fmt::format("the log has {} bytes of {}", kept.size(), kOutput);
    }
    return clean_up(sim);
}

Settings with(std::uint64_t seed, const Chances& chances) {
    Settings settings = settings_of(seed);
    settings.kill_ppm = chances.kill_ppm;
    settings.fault_ppm = chances.fault_ppm;
    settings.torn_rename = chances.torn_rename;
    settings.lost_locks = chances.lost_locks;
    settings.lossy_splice = chances.lossy_splice;
    return settings;
}

std::string run_contrary(std::uint64_t seed, const Chances& chances) {
    Simulation sim(with(seed, chances));
    const std::string wrong = contrary(sim, chances.clients);
    return wrong.empty() ? "" : wrong + "\n" + sim.tail(250);
}

TEST(Chance, ContraryVerbsAtOnce) {
    with_seeds(300, [](std::uint64_t seed) { EXPECT_EQ(run_contrary(seed, {}), ""); });
}

TEST(Chance, ContraryVerbsWhileEverybodyIsKilled) {
    with_seeds(300,
               [](std::uint64_t seed) { EXPECT_EQ(run_contrary(seed, {.kill_ppm = 1000}), ""); });
}

TEST(Chance, ContraryVerbsWithFaults) {
    with_seeds(200,
               [](std::uint64_t seed) { EXPECT_EQ(run_contrary(seed, {.fault_ppm = 2000}), ""); });
}

TEST(Chance, MonitorsAreKilledWhileItRuns) {
    with_seeds(200, [](std::uint64_t seed) {
        Simulation sim(with(seed, {.kill_ppm = 700'000}));
        const std::string wrong = outlives(sim);
        EXPECT_EQ(wrong.empty() ? "" : wrong + "\n" + sim.tail(250), "");
    });
}

/// Whether one of some seeds tells that the machine is broken.
bool is_told(const Chances& chances, std::string (*one)(std::uint64_t, const Chances&)) {
    constexpr std::uint64_t kSeeds = 3000;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        if (!one(seed, chances).empty()) {
            return true;
        }
    }
    return false;
}

std::string run_outlives(std::uint64_t seed, const Chances& chances) {
    Simulation sim(with(seed, chances));
    return outlives(sim);
}

// One that is just being made looks for a moment like what a killed create left.
TEST(Chance, CreateAndDeleteAtOnce) {
    with_seeds(100, [](std::uint64_t seed) {
        Settings settings = settings_of(seed);
        settings.switch_percent = 50;
        Simulation sim(settings);
        make_bundle("web", {"sleep:1000"});
        std::vector<Process*> all;
        for (int i = 0; i < 3; ++i) {
            all.push_back(&sim.start("create", [] { return create("web"); }));
            all.push_back(&sim.start("delete", [] { return remove("web", RemoveMode::force); }));
        }
        sim.run_for(20'000);
        EXPECT_TRUE(sim.finish(all)) << sim.tail(100);
        const std::string wrong = clean_up(sim);
        EXPECT_EQ(wrong.empty() ? "" : wrong + "\n" + sim.tail(250), "");
    });
}

// The simulation can fail: a machine with a planted bug does not go unnoticed.
TEST(Planted, ARenameThatIsNotAtomicIsTold) {
    EXPECT_TRUE(is_told({.kill_ppm = 2000, .clients = 5, .torn_rename = true}, run_contrary));
}
TEST(Planted, ALockThatEverybodyGetsIsTold) {
    EXPECT_TRUE(is_told({.clients = 5, .lost_locks = true}, run_contrary));
}
TEST(Planted, AByteThatIsLostOnTheWayToTheLogIsTold) {
    EXPECT_TRUE(is_told({.lossy_splice = true}, run_outlives));
}

}  // namespace
}  // namespace knarr::sim
