// Verbs that are killed before each of their system calls: whatever the moment, the next verb goes
// on, and what is removed has left nothing.

#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

constexpr std::int64_t kMaxCalls = 2000;

struct Case {
    const char* name;
    bool created, started;  // what was done before
    int (*verb)();
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
int pause_c1() {
    return pause("c1");
}
int exec_c1() {
    return exec("c1", {"sleep:5", "exit:3"}, 0);
}

void expect_empty(Simulation& sim, const std::string& when) {
    sim.run_for(100);
    ASSERT_EQ(sim.run("delete", delete_c1), 0) << when << "\n" << sim.tail();
    sim.run_for(100);
    ASSERT_EQ(leftovers(sim), "") << when << "\n" << sim.tail();
}

/// False: it was not reached any more.
bool kill_there(std::uint64_t seed, const Case& one, const Treatment& treatment) {
    Simulation sim(settings_of(seed));
    make_bundle("c1", {"sleep:1000000"});
    const std::string when = fmt::format("{}, the process {} below it killed at {}",
                                         one.name,
                                         treatment.victim_below,
                                         treatment.kill_at);
    EXPECT_TRUE(!one.created || sim.run("create", create_c1) == 0);
    EXPECT_TRUE(!one.started || sim.run("start", start_c1) == 0);
    const int code = sim.run(one.name, one.verb, treatment);
    EXPECT_NE(code, -1) << when << ": stuck\n" << sim.tail();
    const std::string state = state_of(sim, "c1");
    EXPECT_FALSE(state.starts_with("error") || state == "stuck") << when << ": " << state;
    const bool reached = world->kills > 0;
    if (one.verb == exec_c1) {
        EXPECT_EQ(state, "running") << when << "\n" << sim.tail();
        EXPECT_EQ(sim.run("exec again", exec_c1), 3) << when << "\n" << sim.tail();
    }
    if (one.verb == create_c1 && code != 0) {
        // Its ID is free again, or held by what can be removed.
        const int again = sim.run("create again", create_c1);
        EXPECT_TRUE(again == 0 || state == "created") << when << "\n" << sim.tail();
    }
    expect_empty(sim, when);
    return reached;
}

void kill_everywhere(const Case& one, int victim_below = 0) {
    with_seeds(0, [&](std::uint64_t seed) {
        std::int64_t at = 1;
        while (at < kMaxCalls &&
               kill_there(seed, one, {.kill_at = at, .victim_below = victim_below}) &&
               !testing::Test::HasFailure()) {
            at += stride_of(seed);
        }
        EXPECT_GT(at, 10) << one.name << " makes more calls than that";
    });
}

TEST(Killed, Create) {
    kill_everywhere({.name = "create", .created = false, .started = false, .verb = create_c1});
}
TEST(Killed, Start) {
    kill_everywhere({.name = "start", .created = true, .started = false, .verb = start_c1});
}
TEST(Killed, Kill) {
    kill_everywhere({.name = "kill", .created = true, .started = true, .verb = kill_c1});
}
TEST(Killed, Pause) {
    kill_everywhere({.name = "pause", .created = true, .started = true, .verb = pause_c1});
}
TEST(Killed, DeleteOfOneThatRuns) {
    kill_everywhere({.name = "delete", .created = true, .started = true, .verb = delete_c1});
}
TEST(Killed, Exec) {
    kill_everywhere({.name = "exec", .created = true, .started = true, .verb = exec_c1});
}

TEST(Killed, FirstProcessWhileItIsSetUp) {
    kill_everywhere({.name = "create", .created = false, .started = false, .verb = create_c1}, 1);
}
TEST(Killed, ProcessOfExecWhileItIsSetUp) {
    kill_everywhere({.name = "exec", .created = true, .started = true, .verb = exec_c1}, 1);
}

}  // namespace
}  // namespace knarr::sim
