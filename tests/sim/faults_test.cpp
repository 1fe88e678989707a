// Verbs and monitors whose system calls fail, each of them once: an I/O error there, or a disk that
// is full from there on. What a verb says it did is done, what it says it did not has left nothing
// that could not be removed, nobody waits for ever, and no byte of a log is lost.

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

constexpr std::int64_t kMaxCalls = 2000;

struct Case {
    const char* name;
    bool created, started;  // what was done before
    int (*verb)();
    const char* after;  // the state where the verb succeeded
};

int create_c1() {
    return create("c1");
}
int start_c1() {
    return start("c1");
}
int kill_c1() {
    return kill("c1", SIGKILL);
}
int delete_c1() {
    return remove("c1", RemoveMode::force);
}
int exec_c1() {
    return exec("c1", {"sleep:5", "exit:3"}, 0);
}

/// False: it was not reached any more.
bool fail_there(std::uint64_t seed, const Case& one, const Treatment& treatment) {
    Simulation sim(settings_of(seed));
    make_bundle("c1", {"sleep:1000000"});
    const bool full = treatment.full_at >= 0;
    const std::string when = fmt::format("{}, {} {}",
                                         one.name,
                                         full ? "the disk full at" : "EIO at",
                                         full ? treatment.full_at : treatment.fail_at);
    EXPECT_EQ(state_of(sim, "c1"), "gone");  // which makes the state directory
    EXPECT_TRUE(!one.created || sim.run("create", create_c1) == 0);
    EXPECT_TRUE(!one.started || sim.run("start", start_c1) == 0);
    const int code = sim.run(one.name, one.verb, treatment);
    EXPECT_NE(code, -1) << when << ": stuck\n" << sim.tail();
    sim.run_for(100);
    const std::string state = state_of(sim, "c1");
    EXPECT_FALSE(state.starts_with("error") || state == "stuck") << when << ": " << state;
    EXPECT_TRUE(code != 0 || state == one.after) << when << ": " << state << "\n" << sim.tail();
    if (one.verb == exec_c1) {  // whatever became of it, the container runs on
        EXPECT_EQ(state, "running") << when << "\n" << sim.tail();
        EXPECT_EQ(sim.run("exec again", exec_c1), 3) << when << "\n" << sim.tail();
    }
    const bool reached = world->faults > 0;
    // To remove it needs no room.
    EXPECT_EQ(sim.run("delete", delete_c1), 0) << when << "\n" << sim.tail();
    sim.run_for(100);
    EXPECT_EQ(leftovers(sim), "") << when << "\n" << sim.tail();
    return reached;
}

void fail_everywhere(const Case& one) {
    with_seeds(0, [&](std::uint64_t seed) {
        for (const bool full : {false, true}) {
            std::int64_t at = 1;
            while (at < kMaxCalls &&
                   fail_there(seed, one, {.fail_at = full ? -1 : at, .full_at = full ? at : -1}) &&
                   !testing::Test::HasFailure()) {
                at += stride_of(seed);
            }
            EXPECT_GT(at, 10) << one.name << " makes more calls than that";
        }
    });
}

TEST(Faults, Create) {
    fail_everywhere({.name = "create",
                     .created = false,
                     .started = false,
                     .verb = create_c1,
                     .after = "created"});
}
TEST(Faults, Start) {
    fail_everywhere(
        {.name = "start", .created = true, .started = false, .verb = start_c1, .after = "running"});
}
TEST(Faults, Kill) {
    fail_everywhere(
        {.name = "kill", .created = true, .started = true, .verb = kill_c1, .after = "stopped"});
}
TEST(Faults, DeleteOfOneThatRuns) {
    fail_everywhere(
        {.name = "delete", .created = true, .started = true, .verb = delete_c1, .after = "gone"});
}
TEST(Faults, Exec) {
    fail_everywhere(
        {.name = "exec", .created = true, .started = true, .verb = exec_c1, .after = "running"});
}

/// A run in the background, one of whose processes meets a fault; later there is room again.
bool fail_below(std::uint64_t seed, const Treatment& treatment) {
    Simulation sim(settings_of(seed));
    make_bundle("web", {"write:3000", "sleep:50", "write:2000", "exit:7"});
    const bool full = treatment.full_at >= 0;
    const std::string when = fmt::format("{} below, {} {}",
                                         treatment.victim_below,
                                         full ? "the disk full at" : "EIO at",
                                         full ? treatment.full_at : treatment.fail_at);
    const int code = sim.run("run", [] { return run_in_background("web", {}); }, treatment);
    EXPECT_NE(code, -1) << when << ": stuck\n" << sim.tail();
    sim.run_for(3000);
    world->disk_full = false;
    sim.run_for(3000);
    Process& waiting = sim.start("wait", [] { return wait("web"); });
    EXPECT_TRUE(sim.finish({&waiting})) << when << ": wait is stuck\n" << sim.tail(200);
    if (code == 0) {
        EXPECT_EQ(view(waiting.answer), "7") << when << "\n" << sim.tail(200);
        const std::string all = program_output(3000) + program_output(2000);
        const std::string kept = logged(sim, "web");
        EXPECT_TRUE(kept == all) << when << ": " << kept.size() << " bytes\n" << sim.tail(200);
    }
    expect_removable(sim, "web", when);
    return world->faults > 0;
}

void fail_at_depth(int depth) {
    with_seeds(0, [&](std::uint64_t seed) {
        for (const bool full : {false, true}) {
            std::int64_t at = 1;
            while (at < kMaxCalls &&
                   fail_below(seed,
                              {.victim_below = depth,
                               .fail_at = full ? -1 : at,
                               .full_at = full ? at : -1}) &&
                   !testing::Test::HasFailure()) {
                at += stride_of(seed);
            }
            EXPECT_GT(at, 5);
        }
    });
}

TEST(Faults, RunInTheBackground) {
    fail_at_depth(0);
}
TEST(Faults, MonitorThatStandsBy) {
    fail_at_depth(1);
}
TEST(Faults, MonitorThatWatches) {
    fail_at_depth(2);
}
TEST(Faults, Launcher) {
    fail_at_depth(3);
}

// A clock that somebody sets changes neither how long things take nor what is known of them.
TEST(Faults, TheClockJumpsByAYear) {
    with_seeds(10, [](std::uint64_t seed) {
        constexpr std::int64_t kYear = 365LL * 24 * 3600 * 1'000'000'000;
        Simulation sim(settings_of(seed));
        make_bundle("web", {"write:3000", "sleep:2000", "write:2000", "sleep:2000", "exit:7"});
        const std::int64_t begun = world->now;
        ASSERT_EQ(sim.run("run", [] { return run_in_background("web", {}); }), 0) << sim.tail();
        world->wall_jump = kYear;
        sim.run_for(1000);
        EXPECT_EQ(state_of(sim, "web"), "running") << sim.tail();
        Process& stopping = sim.start("pause", [] { return pause("web"); });
        ASSERT_TRUE(sim.finish({&stopping})) << sim.tail();
        world->wall_jump = -kYear;
        EXPECT_EQ(sim.run("resume", [] { return resume("web"); }), 0) << sim.tail();
        Process& waiting = sim.start("wait", [] { return wait("web"); });
        ASSERT_TRUE(sim.finish({&waiting})) << sim.tail();
        EXPECT_EQ(view(waiting.answer), "7") << sim.tail();
        EXPECT_LT(world->now - begun, 60'000'000'000) << "it took the jump for time";
        EXPECT_EQ(logged(sim, "web"), program_output(3000) + program_output(2000)) << sim.tail();
        ASSERT_EQ(sim.run("rm", [] { return remove("web", RemoveMode::when_stopped); }), 0)
            << sim.tail();
        sim.run_for(3000);
        EXPECT_EQ(leftovers(sim), "") << sim.tail();
    });
}

}  // namespace
}  // namespace knarr::sim
