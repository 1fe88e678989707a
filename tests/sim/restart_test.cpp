// What goes on for hours, by the simulated clock: restart policies and health checks.

#include <chrono>
#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

using std::chrono::seconds;

constexpr RestartPolicy kAlways{.mode = RestartMode::always, .max_retries = 0};

int run_web(const Background& options) {
    return run_in_background("web", options);
}
int stop_web() {
    return stop("web", 1);
}

std::size_t runs_of(Simulation& sim, std::size_t bytes) {
    return logged(sim, "web").size() / bytes;
}

void remove_web(Simulation& sim) {
    EXPECT_EQ(sim.run("rm", [] { return remove("web", RemoveMode::force); }), 0) << sim.tail();
    sim.run_for(5000);
    EXPECT_EQ(leftovers(sim), "") << sim.tail();
}

TEST(Restart, AsOftenAsThePolicySaysAndWithItsPauses) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"write:100", "exit:7"});
        const RestartPolicy policy{.mode = RestartMode::on_failure, .max_retries = 5};
        ASSERT_EQ(sim.run("run", [&] { return run_web({.restart = policy}); }), 0) << sim.tail();
        // 100 ms, twice as long each time: the fifth comes after 3.1 s.
        sim.run_for(2900);
        EXPECT_LT(runs_of(sim, 100), 6U) << sim.tail();
        sim.run_for(600'000);
        EXPECT_EQ(runs_of(sim, 100), 6U) << sim.tail();
        const auto told = told_of(sim, "web");
        ASSERT_TRUE(told) << sim.tail();
        EXPECT_EQ(told->restarts, 5U);
        EXPECT_FALSE(told->restarting);
        EXPECT_EQ(state_of(sim, "web"), "stopped");
        remove_web(sim);
    });
}

TEST(Restart, APauseIsAMinuteAtMostAndStopEndsIt) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"write:100", "exit:0"});
        ASSERT_EQ(sim.run("run", [] { return run_web({.restart = kAlways}); }), 0) << sim.tail();
        sim.run_for(120'000);
        const std::size_t before = runs_of(sim, 100);
        sim.run_for(240'000);
        const std::size_t after = runs_of(sim, 100);
        EXPECT_TRUE(after >= before + 3 && after <= before + 4) << before << " " << after;
        EXPECT_EQ(sim.run("stop", stop_web), 0) << sim.tail();
        const std::size_t last = runs_of(sim, 100);
        sim.run_for(600'000);
        EXPECT_EQ(runs_of(sim, 100), last) << "stop did not end it\n" << sim.tail();
        remove_web(sim);
    });
}

TEST(Restart, WhateverIsKilledItGoesOn) {
    with_seeds(15, [](std::uint64_t seed) {
        Settings settings = settings_of(seed);
        Simulation sim(settings);
        make_bundle("web", {"write:100", "sleep:300", "exit:7"});
        ASSERT_EQ(sim.run("run", [] { return run_web({.restart = kAlways}); }), 0) << sim.tail();
        world->settings.kill_ppm = 1000;
        for (int round = 0; round < 10; ++round) {
            sim.run_for(2000);
            static_cast<void>(state_of(sim, "web"));  // which brings killed monitors back
        }
        world->settings.kill_ppm = 0;
        static_cast<void>(state_of(sim, "web"));
        const std::size_t before = runs_of(sim, 100);
        sim.run_for(150'000);
        EXPECT_GT(runs_of(sim, 100), before) << "nobody starts it any more\n" << sim.tail(200);
        EXPECT_EQ(sim.run("stop", stop_web), 0) << sim.tail();
        remove_web(sim);
    });
}

// As its run ends, is put down and begins again by itself, by monitors that know of each other only
// by locks.
TEST(Restart, AStartInBetweenNeedNotWait) {
    with_seeds(40, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"write:100", "sleep:20", "exit:1"});
        ASSERT_EQ(sim.run("run", [] { return run_web({.restart = kAlways}); }), 0) << sim.tail();
        for (int round = 0; round < 4; ++round) {
            sim.run_for(20 + draw() % 300);
            ASSERT_EQ(sim.run("start", [] { return start("web"); }), 0) << sim.tail(300);
        }
        remove_web(sim);
    });
}

HealthCheck check_with(std::vector<std::string> words) {
    HealthCheck check;
    check.command = {"/bin/program"};
    check.command.insert(check.command.end(), words.begin(), words.end());
    check.interval = seconds(10);
    check.timeout = seconds(5);
    check.retries = 3;
    return check;
}

void expect_health(Simulation& sim, HealthStatus status, unsigned failing) {
    const auto told = told_of(sim, "web");
    ASSERT_TRUE(told) << sim.tail();
    EXPECT_EQ(name_of(told->health), name_of(status)) << sim.tail();
    EXPECT_EQ(told->failing, failing) << sim.tail();
}

TEST(Health, ThreeFailuresInARowMakeItUnhealthy) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"ends:0", "sleep:100000000"});
        const HealthCheck check = check_with({"exit:1"});
        ASSERT_EQ(sim.run("run", [&] { return run_web({.health = check}); }), 0) << sim.tail();
        sim.run_for(25'000);
        expect_health(sim, HealthStatus::starting, 2);
        sim.run_for(10'000);
        expect_health(sim, HealthStatus::unhealthy, 3);
        remove_web(sim);
    });
}

TEST(Health, ASuccessMakesItHealthyAndAProbeThatHangsIsAFailure) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"ends:0", "sleep:100000000"});
        const HealthCheck good = check_with({"exit:0"});
        ASSERT_EQ(sim.run("run", [&] { return run_web({.health = good}); }), 0) << sim.tail();
        sim.run_for(15'000);
        expect_health(sim, HealthStatus::healthy, 0);
        remove_web(sim);
        const HealthCheck hangs = check_with({"sleep:100000000"});
        ASSERT_EQ(sim.run("run", [&] { return run_web({.health = hangs}); }), 0) << sim.tail();
        // Each takes 10 s of pause and 5 s until it is killed.
        sim.run_for(40'000);
        expect_health(sim, HealthStatus::starting, 2);
        sim.run_for(10'000);
        expect_health(sim, HealthStatus::unhealthy, 3);
        remove_web(sim);
    });
}

TEST(Health, FailuresOfTheStartPeriodDoNotCount) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"ends:0", "sleep:100000000"});
        HealthCheck check = check_with({"exit:1"});
        check.start_period = seconds(60);
        check.start_interval = seconds(5);
        ASSERT_EQ(sim.run("run", [&] { return run_web({.health = check}); }), 0) << sim.tail();
        sim.run_for(58'000);
        expect_health(sim, HealthStatus::starting, 0);
        sim.run_for(40'000);
        expect_health(sim, HealthStatus::unhealthy, told_of(sim, "web")->failing);
        EXPECT_GE(told_of(sim, "web")->failing, 3U);
        remove_web(sim);
    });
}

TEST(Health, AnUnhealthyOneIsKilledAndItsPolicyStartsItAgain) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("web", {"write:100", "sleep:100000000"});
        HealthCheck check = check_with({"exit:1"});
        check.on_failure = HealthAction::kill;
        ASSERT_EQ(sim.run("run", [&] { return run_web({.restart = kAlways, .health = check}); }), 0)
            << sim.tail();
        sim.run_for(100'000);
        EXPECT_GE(runs_of(sim, 100), 3U) << sim.tail();
        EXPECT_EQ(sim.run("stop", stop_web), 0) << sim.tail();
        remove_web(sim);
    });
}

}  // namespace
}  // namespace knarr::sim
