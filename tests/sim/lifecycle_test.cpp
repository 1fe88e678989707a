// The life of a container by the verbs of runc.

#include <csignal>

#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

void live_once(Simulation& sim) {
    make_bundle("c1", {"ends:7", "sleep:1000000"});
    ASSERT_EQ(sim.run("create", [] { return create("c1"); }), 0) << sim.tail();
    EXPECT_EQ(state_of(sim, "c1"), "created") << sim.tail();
    ASSERT_EQ(sim.run("start", [] { return start("c1"); }), 0) << sim.tail();
    sim.run_for(10);
    EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
    ASSERT_EQ(sim.run("kill", [] { return kill("c1", SIGTERM); }), 0) << sim.tail();
    sim.run_for(10);
    EXPECT_EQ(state_of(sim, "c1"), "stopped") << sim.tail();
    ASSERT_EQ(sim.run("delete", [] { return remove("c1", RemoveMode::when_stopped); }), 0)
        << sim.tail();
    EXPECT_EQ(leftovers(sim), "");
}

TEST(Simulation, LifecycleBasic) {
    with_seeds(50, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        live_once(sim);
    });
}

TEST(Simulation, SameSeedGivesTheSameTrace) {
    const auto hash_of = [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        live_once(sim);
        return sim.hash();
    };
    with_seeds(5, [&](std::uint64_t seed) {
        const std::string first = hash_of(seed);
        EXPECT_EQ(first, hash_of(seed));
        EXPECT_NE(first, hash_of(seed + 1));
    });
}

}  // namespace
}  // namespace knarr::sim
