// Checkpoints by a simulated CRIU: the behaviours 6, 7, 14, 18 and 19 (docs/simulation.md), and
// everybody killed and failing on the way there and back.

#include <algorithm>
#include <csignal>
#include <functional>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

constexpr std::int64_t kMaxCalls = 2000;

int dump_c1() {
    return checkpoint("c1", After::goes);
}
int dump_and_go_on() {
    return checkpoint("c1", After::stays);
}
int restore_c1() {
    return restore("c1");
}

/// One whose program has come to its second long sleep.
void begin(Simulation& sim) {
    make_bundle("c1", {"ends:7", "sleep:5", "sleep:1000000"});
    ASSERT_EQ(sim.run("create", [] { return create("c1"); }), 0) << sim.tail();
    ASSERT_EQ(sim.run("start", [] { return start("c1"); }), 0) << sim.tail();
    sim.run_for(100);
}

const Process* program_of(const Simulation& sim) {
    const Process* found = nullptr;
    for (const Process* process : sim.living()) {
        found = process->role == Role::program ? process : found;
    }
    return found;
}

void remove_c1(Simulation& sim, const std::string& when = "") {
    world->settings.fault_ppm = 0;
    EXPECT_EQ(sim.run("delete", [] { return remove("c1", RemoveMode::force); }), 0) << when << "\n"
                                                                                    << sim.tail();
    sim.run_for(1000);
    EXPECT_EQ(leftovers(sim), "") << when << "\n" << sim.tail();
}

std::string image(const char* name) {
    return fmt::format("{}/{}", kImages, name);
}

/// The image files that there are.
std::string images_there(const Simulation& sim) {
    std::string names;
    for (const std::string& name : sim.list(kImages)) {
        names += name.ends_with(".img") ? name + " " : "";
    }
    return names;
}

void put_limit(Simulation& sim, const char* limit) {
    std::string config = sim.read("/b/c1/config.json").value_or("");
    const std::size_t at = config.find(R"("linux":{)");
    ASSERT_NE(at, std::string::npos);
    config = config.substr(0, at) +
             fmt::format(R"("linux":{{"resources":{{"memory":{{"limit":{}}}}},)", limit) +
             config.substr(config.find(R"("namespaces")"));
    make_path("/b/c1/config.json", Kind::regular, config);
}

// 6
TEST(Checkpoint, GoesOnWhereItWas) {
    with_seeds(20, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        begin(sim);
        const bool paused = seed % 2 == 0;
        EXPECT_TRUE(!paused || sim.run("pause", [] { return pause("c1"); }) == 0) << sim.tail();
        ASSERT_EQ(sim.run("checkpoint", dump_and_go_on), 0) << sim.tail();
        EXPECT_EQ(state_of(sim, "c1"), paused ? "paused" : "running") << sim.tail();
        ASSERT_EQ(sim.run("checkpoint", dump_c1), 0) << sim.tail();
        EXPECT_EQ(state_of(sim, "c1"), "gone") << sim.tail();
        EXPECT_EQ(leftovers(sim), "") << sim.tail();
        for (const char* name : {"core-1.img", "pages-1.img", "inventory.img", "knarr.json"}) {
            EXPECT_NE(sim.read(image(name)).value_or(""), "") << name << sim.tail();
        }
        ASSERT_EQ(sim.run("restore", restore_c1), 0) << sim.tail();
        sim.run_for(100);
        EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
        ASSERT_NE(program_of(sim), nullptr);
        EXPECT_EQ(program_of(sim)->word, 3U) << "it began anew";
        EXPECT_EQ(sim.run("exec", [] { return exec("c1", {"exit:3"}, 0); }), 3) << sim.tail();
        EXPECT_EQ(sim.run("stop", [] { return stop("c1", 5); }), 0) << sim.tail();
        EXPECT_EQ(state_of(sim, "c1"), "stopped") << sim.tail();
        remove_c1(sim);
    });
}

// 14
TEST(Checkpoint, IsRefusedInOtherStatesAndChangesNothing) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        make_bundle("c1", {"ends:7", "sleep:1000000"});
        EXPECT_NE(sim.run("checkpoint", dump_c1), 0);
        ASSERT_EQ(sim.run("create", [] { return create("c1"); }), 0) << sim.tail();
        EXPECT_NE(sim.run("checkpoint", dump_c1), 0);
        EXPECT_EQ(state_of(sim, "c1"), "created") << sim.tail();
        ASSERT_EQ(sim.run("start", [] { return start("c1"); }), 0) << sim.tail();
        ASSERT_EQ(sim.run("checkpoint", dump_and_go_on), 0) << sim.tail();
        EXPECT_NE(sim.run("restore", restore_c1), 0) << "beside one of its name";
        EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
        EXPECT_EQ(sim.run("kill", [] { return kill("c1", SIGKILL); }), 0);
        sim.run_for(100);
        EXPECT_NE(sim.run("checkpoint", dump_c1), 0);
        EXPECT_EQ(state_of(sim, "c1"), "stopped") << sim.tail();
        EXPECT_NE(sim.run("restore", restore_c1), 0) << "in the place of one that has ended";
        EXPECT_EQ(state_of(sim, "c1"), "stopped") << sim.tail();
        remove_c1(sim);
        EXPECT_EQ(sim.run("restore", restore_c1), 0) << sim.tail();
        remove_c1(sim);
    });
}

// 18
TEST(Checkpoint, OfAnotherArchitectureIsRefused) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        begin(sim);
        ASSERT_EQ(sim.run("checkpoint", dump_c1), 0) << sim.tail();
        world->machine = "aarch64";
        Process& asked = sim.start("restore", restore_c1);
        ASSERT_TRUE(sim.finish({&asked})) << sim.tail();
        EXPECT_NE(code_of(asked), 0);
        EXPECT_NE(view(asked.answer).find("made on x86_64; this machine is aarch64"),
                  std::string_view::npos)
            << view(asked.answer);
        EXPECT_EQ(leftovers(sim), "") << sim.tail();
        world->machine = "x86_64";
        EXPECT_EQ(sim.run("restore", restore_c1), 0) << sim.tail();
        remove_c1(sim);
    });
}

// 19: the limits are those of the bundle that it is restored with.
TEST(Checkpoint, IntoAnotherMemoryLimit) {
    with_seeds(5, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        begin(sim);
        ASSERT_EQ(sim.run("checkpoint", dump_c1), 0) << sim.tail();
        put_limit(sim, "10000");
        Process& asked = sim.start("restore", restore_c1);
        ASSERT_TRUE(sim.finish({&asked})) << sim.tail();
        EXPECT_NE(code_of(asked), 0);
        EXPECT_NE(view(asked.answer).find("bytes of memory, and linux.resources.memory.limit"),
                  std::string_view::npos)
            << view(asked.answer);
        sim.run_for(100);
        EXPECT_EQ(leftovers(sim), "") << sim.tail();
        put_limit(sim, "1000000");
        EXPECT_EQ(sim.run("restore", restore_c1), 0) << sim.tail();
        sim.run_for(100);  // until it is the program again
        EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
        ASSERT_NE(program_of(sim), nullptr);
        const Cgroup& cgroup = *program_of(sim)->cgroup;
        EXPECT_EQ(view(cgroup.dir->entries.at("memory.max")->data), "1000000\n");
        remove_c1(sim);
    });
}

/// Some byte of some image file; what undoes it.
std::function<void()> damage(Simulation& sim) {
    const char* names[] = {"core-1.img", "pages-1.img", "inventory.img"};
    const std::string path = image(names[draw() % 3]);
    const std::string whole = sim.read(path).value_or("");
    std::string bad = whole;
    if (draw() % 4 == 0 || bad.empty()) {
        bad.resize(bad.size() / 2);
    } else {
        bad[draw() % bad.size()] ^= 1;
    }
    make_path(path, Kind::regular, bad);
    return [path, whole] { make_path(path, Kind::regular, whole); };
}

// 7: what fails is told, and what there was before is there still.
TEST(Checkpoint, WithFaultsInADumpTheImageAndARestore) {
    int failed[3] = {0, 0, 0};
    with_seeds(60, [&](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        begin(sim);
        const bool dump_fails = chance(200'000);
        world->criu_fate.fail_at = dump_fails ? static_cast<std::int64_t>(1 + draw() % 6) : -1;
        const int dumped = sim.run("checkpoint", dump_c1);
        if (dump_fails) {
            ++failed[0];
            EXPECT_NE(dumped, 0) << sim.tail();
            EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
            EXPECT_EQ(images_there(sim), "") << sim.tail();
            EXPECT_EQ(sim.run("exec", [] { return exec("c1", {"exit:3"}, 0); }), 3) << sim.tail();
            ASSERT_EQ(sim.run("checkpoint", dump_c1), 0) << sim.tail();
        }
        if (chance(200'000)) {
            ++failed[1];
            const auto mend = damage(sim);
            Process& asked = sim.start("restore", restore_c1);
            ASSERT_TRUE(sim.finish({&asked})) << sim.tail();
            EXPECT_NE(code_of(asked), 0) << sim.tail();
            EXPECT_NE(view(asked.answer).find("is damaged"), std::string_view::npos)
                << view(asked.answer);
            EXPECT_EQ(leftovers(sim), "") << sim.tail();
            mend();
        }
        if (chance(200'000)) {
            ++failed[2];
            world->criu_fate.kill_at = static_cast<std::int64_t>(1 + draw() % 12);
            EXPECT_NE(sim.run("restore", restore_c1), 0) << sim.tail();
            world->criu_fate = {};
            sim.run_for(100);
            EXPECT_EQ(leftovers(sim), "") << sim.tail();
        }
        EXPECT_EQ(sim.run("restore", restore_c1), 0) << sim.tail();
        EXPECT_EQ(state_of(sim, "c1"), "running") << sim.tail();
        remove_c1(sim);
    });
    if (seeds(60).size() > 1) {
        EXPECT_TRUE(failed[0] > 0 && failed[1] > 0 && failed[2] > 0);
    }
}

struct Attempt {
    bool of_criu = false;  // it is the one that is killed or fails
    bool restores = false;
    Treatment treatment = {};
};

void give_fate(const Attempt& attempt) {
    if (attempt.of_criu) {
        world->criu_fate = {.kill_at = attempt.treatment.kill_at,
                            .fail_at = attempt.treatment.fail_at,
                            .full_at = attempt.treatment.full_at};
    }
}

/// Whatever became of it, nobody waits for ever, and its state is one that can be left. False: the
/// moment was not reached.
bool try_once(std::uint64_t seed, const Attempt& attempt) {
    Simulation sim(settings_of(seed));
    const std::string when = fmt::format("{}{}: killed at {}, EIO at {}, the disk full at {}",
                                         attempt.restores ? "restore" : "checkpoint",
                                         attempt.of_criu ? ", its criu" : "",
                                         attempt.treatment.kill_at,
                                         attempt.treatment.fail_at,
                                         attempt.treatment.full_at);
    begin(sim);
    EXPECT_TRUE(!attempt.restores || sim.run("checkpoint", dump_c1) == 0) << when << sim.tail();
    give_fate(attempt);
    const Treatment none;
    const int code = sim.run(attempt.restores ? "restore" : "checkpoint",
                             attempt.restores ? restore_c1 : dump_c1,
                             attempt.of_criu ? none : attempt.treatment);
    EXPECT_NE(code, -1) << when << ": stuck\n" << sim.tail();
    const bool reached = world->kills + world->faults > 0;
    sim.run_for(3000);  // a criu that lost its knarr comes to its end
    world->disk_full = false;
    world->criu_fate = {};
    const std::string state = state_of(sim, "c1");
    EXPECT_FALSE(state.starts_with("error") || state == "stuck") << when << ": " << state;
    if (!attempt.restores && code != 0 && (state == "running" || state == "paused")) {
        // It goes on, and can be asked again.
        EXPECT_TRUE(state == "running" || sim.run("resume", [] { return resume("c1"); }) == 0)
            << when << "\n"
            << sim.tail();
        EXPECT_EQ(sim.run("exec", [] { return exec("c1", {"exit:3"}, 0); }), 3) << when << "\n"
                                                                                << sim.tail();
        EXPECT_EQ(sim.run("checkpoint", dump_c1), 0) << when << "\n" << sim.tail();
    }
    EXPECT_TRUE(code != 0 || state == (attempt.restores ? "running" : "gone"))
        << when << ": " << state << "\n"
        << sim.tail();
    // Where it is not running, the image is whole: nothing was lost on the way.
    if (state_of(sim, "c1") != "gone") {
        remove_c1(sim, when);
    }
    EXPECT_EQ(leftovers(sim), "") << when << "\n" << sim.tail();
    EXPECT_EQ(sim.run("restore", restore_c1), 0) << when << "\n" << sim.tail();
    EXPECT_EQ(state_of(sim, "c1"), "running") << when << "\n" << sim.tail();
    remove_c1(sim, when);
    return reached;
}

enum class How : std::uint8_t { killed, fails, full };

void everywhere(How how, bool restores, bool of_criu) {
    with_seeds(0, [&](std::uint64_t seed) {
        std::int64_t at = 1;
        const auto attempt = [&] {
            return Attempt{.of_criu = of_criu,
                           .restores = restores,
                           .treatment = {.kill_at = how == How::killed ? at : -1,
                                         .fail_at = how == How::fails ? at : -1,
                                         .full_at = how == How::full ? at : -1}};
        };
        while (at < kMaxCalls && try_once(seed, attempt()) && !testing::Test::HasFailure()) {
            at += of_criu ? std::min<std::int64_t>(stride_of(seed), 4) : stride_of(seed);
        }
        EXPECT_GT(at, 4);
    });
}

TEST(Killed, Checkpoint) {
    everywhere(How::killed, false, false);
}
TEST(Killed, CriuOfACheckpoint) {
    everywhere(How::killed, false, true);
}
TEST(Killed, Restore) {
    everywhere(How::killed, true, false);
}
TEST(Killed, CriuOfARestore) {
    everywhere(How::killed, true, true);
}
TEST(Faults, Checkpoint) {
    everywhere(How::fails, false, false);
    everywhere(How::full, false, false);
}
TEST(Faults, CriuOfACheckpoint) {
    everywhere(How::fails, false, true);
    everywhere(How::full, false, true);
}
TEST(Faults, Restore) {
    everywhere(How::fails, true, false);
    everywhere(How::full, true, false);
}
TEST(Faults, CriuOfARestore) {
    everywhere(How::fails, true, true);
}

}  // namespace
}  // namespace knarr::sim
