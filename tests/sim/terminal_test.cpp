// Terminals: run, attach and exec behind a window that somebody types in, resizes and closes.

#include <algorithm>
#include <csignal>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/machine.h"
#include "sim/programs.h"
#include "sim/seeds.h"

namespace knarr::sim {
namespace {

int run_web() {
    return run_in_front("web", kInTerminal);
}
int attach_web() {
    return attach("web");
}

void resize(Terminal& window, unsigned short rows, unsigned short columns) {
    winsize size{};
    size.ws_row = rows;
    size.ws_col = columns;
    resize_terminal(window, size);
}

std::string names_of_living(const Simulation& sim) {
    std::string names;
    for (const Process* process : sim.living()) {
        names += std::string(view(process->name)) + " ";
    }
    return names;
}

std::ptrdiff_t count_of(const Simulation& sim, std::string_view name) {
    return std::ranges::count_if(
        sim.living(), [&](const Process* process) { return view(process->name) == name; });
}

/// A container in the background, with a terminal, that runs until it is asked to end.
void begin(Simulation& sim) {
    make_bundle("web", {"ends:0", "sleep:1000000"}, Streams::terminal);
    ASSERT_EQ(sim.run("run", [] { return run_in_background("web", kInTerminal); }), 0)
        << sim.tail();
    sim.run_for(10);
}

TEST(Terminal, OutputArrivesWholeAndTheCodeIsThePrograms) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        make_bundle("web", {"write:30000", "sleep:100", "write:100", "exit:7"}, Streams::terminal);
        EXPECT_EQ(sim.run("run", run_web, {.window = &window}), 7) << sim.tail();
        const std::string all = program_output(30000) + program_output(100);
        EXPECT_TRUE(view(window.screen) == on_screen(all)) << window.screen.size() << sim.tail();
        EXPECT_TRUE(logged(sim, "web") == all) << sim.tail();
        EXPECT_FALSE(is_raw(window)) << sim.tail();
        expect_removable(sim, "web", "");
    });
}

TEST(Terminal, TypedLinesReachTheProgramAndCtrlCIsASignal) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        make_bundle("web", {"ends:5", "read:1", "sleep:1000000"}, Streams::terminal);
        Process& client = sim.start("run", run_web, {.window = &window});
        sim.run_for(1000);
        EXPECT_TRUE(is_raw(window)) << sim.tail();
        type_into(window, "hello\r");
        sim.run_for(1000);
        EXPECT_EQ(view(window.screen), "hello\r\ngot hello\r\n") << sim.tail();
        type_into(window, "\x03");
        ASSERT_TRUE(sim.finish({&client})) << sim.tail();
        EXPECT_EQ(code_of(client), 5) << sim.tail();
        EXPECT_FALSE(is_raw(window)) << sim.tail();
        expect_removable(sim, "web", "");
    });
}

TEST(Terminal, ItsSizeIsTheWindowsFromTheBeginningAndAfterEachChange) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        make_bundle("web", {"size:2", "exit:0"}, Streams::terminal);
        Process& client = sim.start("run", run_web, {.window = &window});
        sim.run_for(1000);
        EXPECT_EQ(view(window.screen), "24x80\r\n") << sim.tail();
        const std::int64_t then = world->now;
        resize(window, 50, 100);
        sim.run_for(100);
        EXPECT_EQ(view(window.screen), "24x80\r\n50x100\r\n") << world->now - then << sim.tail();
        resize(window, 25, 90);
        ASSERT_TRUE(sim.finish({&client})) << sim.tail();
        EXPECT_EQ(view(window.screen), "24x80\r\n50x100\r\n25x90\r\n") << sim.tail();
        expect_removable(sim, "web", "");
    });
}

TEST(Terminal, TheDetachKeysLeaveItRunningAndAttachFindsItAgain) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        make_bundle("web", {"read:1", "read:1", "write:5000", "exit:7"}, Streams::terminal);
        Process& client = sim.start("run", run_web, {.window = &window});
        sim.run_for(1000);
        type_into(window, std::string("one\r") + kDetachKeys);
        ASSERT_TRUE(sim.finish({&client})) << sim.tail();
        EXPECT_EQ(code_of(client), kLeft) << sim.tail();
        EXPECT_FALSE(is_raw(window)) << sim.tail();
        EXPECT_EQ(state_of(sim, "web"), "running");
        sim.run_for(1000);
        Terminal& other = sim.open_window(30, 90);
        Process& again = sim.start("attach", attach_web, {.window = &other});
        sim.run_for(1000);
        type_into(other, "two\r");
        ASSERT_TRUE(sim.finish({&again})) << sim.tail();
        EXPECT_EQ(code_of(again), 7) << sim.tail();
        const std::string after = "two\ngot two\n" + program_output(5000);
        EXPECT_TRUE(view(other.screen) == on_screen(after)) << sim.tail();
        EXPECT_TRUE(logged(sim, "web") == "one\ngot one\n" + after) << sim.tail();
        expect_removable(sim, "web", "");
    });
}

TEST(Terminal, AWindowThatIsClosedLeavesItRunning) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        make_bundle("web", {"ends:0", "sleep:1000000"}, Streams::terminal);
        Process& client = sim.start("run", run_web, {.window = &window});
        sim.run_for(1000);
        window.masters = 0;
        hang_up(window);
        ASSERT_TRUE(sim.finish({&client})) << sim.tail();
        EXPECT_EQ(state_of(sim, "web"), "running");
        sim.run_for(1000);
        EXPECT_EQ(names_of_living(sim), "knarr-monitor knarr-monitor /bin/program ") << sim.tail();
        expect_removable(sim, "web", "");
    });
}

// Those attached have the terminal that was lost with both monitors, and give it back to the next.
TEST(Terminal, BothMonitorsAreKilledWhileSomebodyIsInFront) {
    with_seeds(50, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        make_bundle("web",
                    {"write:3000", "sleep:500", "read:1", "write:3000", "sleep:500", "exit:7"},
                    Streams::terminal);
        Process& client = sim.start("run", run_web, {.window = &window});
        sim.run_for(50 + static_cast<std::int64_t>(draw() % 400));
        for (int round = 0; round < 2; ++round) {
            for (Process* process : List<Process*>(world->processes)) {
                if (is_alive(*process) && view(process->name) == "knarr-monitor") {
                    kill_process(*process, SIGKILL);
                }
            }
            sim.run_for(static_cast<std::int64_t>(draw() % 1000));
        }
        type_into(window, "one\r");
        ASSERT_TRUE(sim.finish({&client})) << sim.tail(200);
        EXPECT_EQ(code_of(client), 7) << sim.tail(200);
        const std::string all = program_output(3000) + "one\ngot one\n" + program_output(3000);
        EXPECT_TRUE(view(window.screen) == on_screen(all)) << window.screen.size() << "\n"
                                                           << sim.tail(300);
        EXPECT_TRUE(logged(sim, "web") == all) << sim.tail(200);
        EXPECT_FALSE(is_raw(window)) << sim.tail();
        expect_removable(sim, "web", "");
    });
}

TEST(Terminal, ExecHasOneOfItsOwn) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        begin(sim);
        Process& client = sim.start(
            "exec",
            [] { return exec_in_terminal("web", {"size:1", "read:1", "write:20000", "exit:3"}); },
            {.window = &window});
        sim.run_for(1000);
        resize(window, 50, 100);
        sim.run_for(100);
        type_into(window, "hello\r");
        ASSERT_TRUE(sim.finish({&client})) << sim.tail();
        EXPECT_EQ(code_of(client), 3) << sim.tail();
        const std::string all = "24x80\n50x100\nhello\ngot hello\n" + program_output(20000);
        EXPECT_TRUE(view(window.screen) == on_screen(all)) << view(window.screen) << sim.tail();
        EXPECT_FALSE(is_raw(window)) << sim.tail();
        EXPECT_EQ(logged(sim, "web"), "") << sim.tail();
        expect_removable(sim, "web", "");
    });
}

TEST(Terminal, ExecIsLeftByTheKeysAndGoesOn) {
    with_seeds(10, [](std::uint64_t seed) {
        Simulation sim(settings_of(seed));
        Terminal& window = sim.open_window(24, 80);
        begin(sim);
        Process& client =
            sim.start("exec",
                      [] { return exec_in_terminal("web", {"sleep:5000", "write:20000"}); },
                      {.window = &window});
        sim.run_for(1000);
        type_into(window, kDetachKeys);
        ASSERT_TRUE(sim.finish({&client})) << sim.tail();
        EXPECT_EQ(code_of(client), 0) << sim.tail();
        EXPECT_FALSE(is_raw(window)) << sim.tail();
        EXPECT_EQ(count_of(sim, "/bin/program"), 2) << sim.tail();
        sim.run_for(10'000);
        EXPECT_EQ(count_of(sim, "/bin/program"), 1) << sim.tail();
        expect_removable(sim, "web", "");
    });
}

}  // namespace
}  // namespace knarr::sim
