// Those of the 21 behaviours (docs/simulation.md) that the engine has; the numbers are theirs.

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

/// A container that runs until it is asked to end.
void begin(Simulation& sim) {
    make_bundle("c1", {"ends:0", "sleep:1000000"});
    ASSERT_EQ(sim.run("create", [] { return create("c1"); }), 0) << sim.tail();
    ASSERT_EQ(sim.run("start", [] { return start("c1"); }), 0) << sim.tail();
    sim.run_for(10);
}

void finish_off(Simulation& sim) {
    world->settings.fault_ppm = 0;
    EXPECT_EQ(sim.run("delete", [] { return remove("c1", RemoveMode::force); }), 0) << sim.tail();
    sim.run_for(1000);
    EXPECT_EQ(leftovers(sim), "") << sim.tail();
}

// 1
TEST(Contract, LifecycleBasic) {
    with_seeds(20, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        begin(sim);
        EXPECT_EQ(state_of(sim, "c1"), "running");
        EXPECT_EQ(sim.run("stop", [] { return stop("c1", 5); }), 0) << sim.tail();
        EXPECT_EQ(state_of(sim, "c1"), "stopped");
        finish_off(sim);
    });
}

// 2: a start that fails leaves a container that can be started again, or is told to be stopped.
TEST(Contract, BootFaults) {
    int good = 0;
    int bad = 0;
    with_seeds(20, [&](std::uint64_t seed) {
        Settings settings = settings_of(seed);
        settings.fault_ppm = 8000;
        Simulation sim(settings);
        make_bundle("c1", {"ends:0", "sleep:1000000"});
        const int made = sim.run("create", [] { return create("c1"); }, {.may_fail = true});
        const int begun =
            made == 0 ? sim.run("start", [] { return start("c1"); }, {.may_fail = true}) : made;
        (begun == 0 ? good : bad) += 1;
        EXPECT_NE(begun, -1) << sim.tail();
        world->settings.fault_ppm = 0;
        sim.run_for(10);
        const std::string state = state_of(sim, "c1");
        EXPECT_TRUE(begun == 0 ? state == "running"
                               : state != "stuck" && !state.starts_with("error"))
            << state << sim.tail();
        if (state == "created") {
            // Refused where the program runs, and it was only not written down: it is then.
            EXPECT_NE(sim.run("start", [] { return start("c1"); }, {.may_fail = true}), -1);
            EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
        }
        finish_off(sim);
    });
    if (seeds(20).size() > 1) {
        EXPECT_GT(good, 0);
        EXPECT_GT(bad, 0);
    }
}

// 4, 5: what fails leaves the state as it was; a second try wins.
TEST(Contract, PauseAndResumeWithFaults) {
    with_seeds(30, [](std::uint64_t seed) {
        Settings settings = settings_of(seed);
        settings.fault_ppm = 30'000;
        Simulation sim(settings);
        begin(sim);
        const int paused = sim.run("pause", [] { return pause("c1"); }, {.may_fail = true});
        EXPECT_EQ(state_of(sim, "c1"), paused == 0 ? "paused" : "running") << sim.tail();
        if (paused != 0) {
            EXPECT_EQ(sim.run("pause", [] { return pause("c1"); }), 0) << sim.tail();
        }
        const int resumed = sim.run("resume", [] { return resume("c1"); }, {.may_fail = true});
        EXPECT_EQ(state_of(sim, "c1"), resumed == 0 ? "running" : "paused") << sim.tail();
        finish_off(sim);
    });
}

// On v1 a frozen process does not die: whoever pauses and whoever kills must not pass each other
// by.
TEST(Contract, PauseWhileItIsBeingKilled) {
    with_seeds(200, [](std::uint64_t seed) {
        Settings settings = settings_of(seed);
        settings.switch_percent = 50;
        settings.frozen_outlive = true;
        Simulation sim(settings);
        begin(sim);
        const Process& pausing = sim.start("pause", [] { return pause("c1"); });
        const Process& killing = sim.start("kill", [] { return kill("c1", SIGKILL); });
        EXPECT_TRUE(sim.finish({&pausing, &killing})) << sim.tail();
        EXPECT_EQ(code_of(killing), 0) << sim.tail();
        sim.run_for(100);
        EXPECT_EQ(state_of(sim, "c1"), "stopped") << sim.tail();
        finish_off(sim);
    });
}

// 12: a long life of many containers, and of one that is paused and resumed.
TEST(Contract, RapidLifecycle) {
    with_seeds(0, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        for (int round = 0; round < 10; ++round) {
            begin(sim);
            EXPECT_EQ(sim.run("pause", [] { return pause("c1"); }), 0) << sim.tail();
            EXPECT_EQ(sim.run("resume", [] { return resume("c1"); }), 0) << sim.tail();
            finish_off(sim);
        }
    });
}

// 13
TEST(Contract, InvalidTransitions) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        begin(sim);
        EXPECT_NE(sim.run("start", [] { return start("c1"); }), 0);
        EXPECT_NE(sim.run("resume", [] { return resume("c1"); }), 0);
        EXPECT_EQ(state_of(sim, "c1"), "running");
        EXPECT_EQ(sim.run("pause", [] { return pause("c1"); }), 0);
        EXPECT_NE(sim.run("pause", [] { return pause("c1"); }), 0);
        EXPECT_NE(sim.run("start", [] { return start("c1"); }), 0);
        EXPECT_EQ(state_of(sim, "c1"), "paused");
        EXPECT_EQ(sim.run("resume", [] { return resume("c1"); }), 0);
        EXPECT_EQ(sim.run("kill", [] { return kill("c1", SIGKILL); }), 0);
        sim.run_for(100);
        EXPECT_EQ(state_of(sim, "c1"), "stopped");
        EXPECT_NE(sim.run("pause", [] { return pause("c1"); }), 0);
        EXPECT_NE(sim.run("resume", [] { return resume("c1"); }), 0);
        EXPECT_NE(sim.run("start", [] { return start("c1"); }), 0);
        EXPECT_EQ(state_of(sim, "c1"), "stopped");
        finish_off(sim);
    });
}

// 15: all are accounted for, nobody waits for ever.
TEST(Contract, ConcurrentLifecycle) {
    constexpr int kTasks = 10;
    constexpr int kCycles = 10;
    Settings settings = settings_of(42);
    settings.fault_ppm = 300;
    Simulation sim(settings);
    std::vector<Process*> tasks;
    for (int task = 0; task < kTasks; ++task) {
        const std::string id = fmt::format("task{}", task);
        make_bundle(id, {"ends:0", "sleep:20"});
        tasks.push_back(&sim.start(id,
                                   [id] {
                                       int ran = 0;
                                       int stuck = 0;
                                       for (int cycle = 0; cycle < kCycles; ++cycle) {
                                           ran += create(id) == 0 && start(id) == 0 ? 1 : 0;
                                           bool removed = false;
                                           for (int tries = 0; tries < 20 && !removed; ++tries) {
                                               removed = remove(id, RemoveMode::force) == 0;
                                           }
                                           stuck += removed ? 0 : 1;
                                       }
                                       answer(fmt::format("{}", 100 * stuck + ran));
                                       return 0;
                                   },
                                   {.may_fail = true}));
    }
    ASSERT_TRUE(sim.finish(tasks)) << sim.tail();
    int ran = 0;
    int stuck = 0;
    for (const Process* task : tasks) {
        const int sum = std::stoi(std::string(view(task->answer)));
        ran += sum % 100;
        stuck += sum / 100;
    }
    EXPECT_EQ(stuck, 0);
    EXPECT_GT(ran, kTasks * kCycles / 2);
    world->settings.fault_ppm = 0;
    sim.run_for(1000);
    EXPECT_EQ(leftovers(sim), "") << sim.tail();
}

// 17, by the log: of exec the output goes to the caller's own descriptors.
TEST(Contract, LargeOutput) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("c1", {"write:102400", "exit:0"});
        ASSERT_EQ(sim.run("run", [] { return run_in_background("c1", {}); }), 0) << sim.tail();
        sim.run_for(5000);
        EXPECT_TRUE(logged(sim, "c1") == program_output(102400)) << sim.tail();
        finish_off(sim);
    });
}

// 8, 9, 16: further programs in a container.
TEST(Contract, Exec) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        begin(sim);
        EXPECT_EQ(sim.run("exec", [] { return exec("c1", {"exit:3"}, 0); }), 3) << sim.tail();
        std::vector<Process*> many;
        many.reserve(5);
        for (int i = 0; i < 5; ++i) {
            many.push_back(&sim.start(
                "exec", [i] { return exec("c1", {"sleep:5", fmt::format("exit:{}", i)}, 0); }));
        }
        ASSERT_TRUE(sim.finish(many)) << sim.tail();
        for (int i = 0; i < 5; ++i) {
            EXPECT_EQ(code_of(*many[static_cast<std::size_t>(i)]), i);
        }
        Process& late = sim.start("exec", [] { return exec("c1", {"sleep:100000"}, 1000); });
        ASSERT_TRUE(sim.finish({&late})) << sim.tail();
        EXPECT_NE(code_of(late), 0);
        EXPECT_NE(view(late.answer).find("longer than 1 s"), std::string_view::npos)
            << view(late.answer);
        EXPECT_EQ(state_of(sim, "c1"), "running");
        finish_off(sim);
    });
}

// 3, 8, 9: by chance a call of them fails, or they and what they start are killed. Some go on all
// the same, the container does in any case.
TEST(Contract, ExecWithFaults) {
    int good = 0;
    int bad = 0;
    with_seeds(20, [&](std::uint64_t seed) {
        Settings settings = settings_of(seed);
        settings.fault_ppm = 3000;
        Simulation sim(settings);
        begin(sim);
        for (int i = 0; i < 10; ++i) {
            const Treatment treatment =
                chance(100'000) ? Treatment{.kill_at = static_cast<std::int64_t>(draw() % 60)}
                                : Treatment{.may_fail = true};
            const int timeout_ms = i % 2 == 0 ? 0 : 1000;
            const int code = sim.run(
                "exec", [&] { return exec("c1", {"sleep:5", "exit:3"}, timeout_ms); }, treatment);
            EXPECT_NE(code, -1) << sim.tail();
            EXPECT_NE(code, 0) << sim.tail();  // that nobody said
            (code == 3 ? good : bad) += 1;
        }
        world->settings.fault_ppm = 0;
        EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
        EXPECT_EQ(sim.run("exec", [] { return exec("c1", {"exit:3"}, 0); }), 3) << sim.tail();
        finish_off(sim);
    });
    if (seeds(20).size() > 1) {
        EXPECT_GT(good, 0);
        EXPECT_GT(bad, 0);
    }
}

// 21
TEST(Contract, Statistics) {
    Simulation sim(settings_of(42));
    begin(sim);
    Process& asked = sim.start("stats", [] {
        return verb([](Engine& engine) -> Result<int> {
            const Statistics found = KNARR_TRY(engine.statistics("c1"));
            answer(fmt::format("{}", found.pids ? found.pids->current : 0));
            return 0;
        });
    });
    ASSERT_TRUE(sim.finish({&asked})) << sim.tail();
    EXPECT_EQ(view(asked.answer), "1") << sim.tail();
    finish_off(sim);
}

}  // namespace
}  // namespace knarr::sim
