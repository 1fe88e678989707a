#include "platform/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/socket.h"

namespace knarr::sys {
namespace {

/// Runs `script` in a shell as a helper and returns what it writes to descriptor 3.
std::string output_of(const std::string& script) {
    Pipe pipe = make_pipe().value();
    const Fd shell = open_path("/bin/sh", O_RDONLY).value();
    Result<Helper> helper = Helper::start({.program = &shell,
                                           .argv = {"sh", "-c", script},
                                           .env = {"PATH=/usr/bin:/bin", "MARK=1"},
                                           .socket = &pipe.write});
    EXPECT_TRUE(helper) << helper.error().message;
    pipe.write.reset();
    return read_all(pipe.read, 65536).value();
}

TEST(Helper, RunsWithoutRightsGroupsOrPrivileges) {
    const std::string status = output_of("cat /proc/self/status >&3");
    if (geteuid() == 0) {
        EXPECT_NE(status.find("Uid:\t65534\t65534\t65534\t65534"), std::string::npos) << status;
        EXPECT_NE(status.find("Gid:\t65534\t65534\t65534\t65534"), std::string::npos);
        EXPECT_NE(status.find("Groups:\t \n"), std::string::npos);
    }
    for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"}) {
        EXPECT_NE(status.find(std::string(set) + ":\t0000000000000000"), std::string::npos) << set;
    }
    EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
    EXPECT_NE(status.find("SigBlk:\t0000000000000000"), std::string::npos);
}

TEST(Helper, SeesOnlyItsOwnDescriptorsAndEnvironment) {
    const Fd leaked(open("/dev/zero", O_RDONLY));  // without O_CLOEXEC: the worst case
    // 4 is the directory that the shell reads.
    EXPECT_EQ(output_of("cd /proc/self/fd && echo * >&3"), "0 1 2 3 4\n");
    EXPECT_EQ(output_of("env -u PWD -u _ -u OLDPWD -u SHLVL | grep -v ^PATH >&3"), "MARK=1\n");
}

TEST(Helper, SaysWhyItCannotStart) {
    Pipe pipe = make_pipe().value();
    const Fd text = open_path("/etc/hostname", O_RDONLY).value();
    const Result<Helper> helper =
        Helper::start({.program = &text, .argv = {"hostname"}, .env = {}, .socket = &pipe.write});
    ASSERT_FALSE(helper);
    EXPECT_NE(helper.error().sys_errno, 0);  // EACCES or ENOEXEC
    EXPECT_TRUE(helper.error().message.starts_with("start hostname: ")) << helper.error().message;
}

TEST(Helper, IsKilledByItsDestructorAtOnce) {
    Pipe pipe = make_pipe().value();
    const Fd shell = open_path("/bin/sh", O_RDONLY).value();
    {
        const Result<Helper> helper = Helper::start({.program = &shell,
                                                     .argv = {"sh", "-c", "exec sleep 60"},
                                                     .env = {"PATH=/usr/bin:/bin"},
                                                     .socket = &pipe.write});
        ASSERT_TRUE(helper);
        pipe.write.reset();
        pollfd ready{.fd = helper->pidfd().get(), .events = POLLIN, .revents = 0};
        EXPECT_EQ(poll(&ready, 1, 0), 0) << "it must still run";
    }
    EXPECT_EQ(read_all(pipe.read, 16).value(), "");  // ends only when the child is gone
}

TEST(Helper, LeavesTheSessionOfTheTerminal) {
    const std::string stat = output_of("cat /proc/self/stat >&3");
    const std::string rest = stat.substr(std::min(stat.rfind(')'), stat.size()));
    // ") STATE PPID PGRP SESSION TTY ...": a session that the helper leads, without a terminal.
    const auto fields = split(rest, ' ');
    ASSERT_GT(fields.size(), 5u) << stat;
    EXPECT_NE(fields[4], std::to_string(getsid(0))) << stat;
    EXPECT_EQ(fields[5], "0") << stat;
}

TEST(Helper, TakesEverythingAlongThatItStarted) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root: a pid namespace";
    }
    Pipe pipe = make_pipe().value();
    const Fd shell = open_path("/bin/sh", O_RDONLY).value();
    Result<Helper> helper = Helper::start({.program = &shell,
                                           .argv = {"sh", "-c", "setsid sleep 60 & echo up >&3"},
                                           .env = {"PATH=/usr/bin:/bin"},
                                           .socket = &pipe.write});
    ASSERT_TRUE(helper) << helper.error().message;
    pipe.write.reset();
    // Ends only when the sleep, which holds the pipe too, is gone.
    EXPECT_EQ(read_all(pipe.read, 16).value(), "up\n");
}

TEST(Helper, ReportsItsExitStatus) {
    Pipe pipe = make_pipe().value();
    const Fd shell = open_path("/bin/sh", O_RDONLY).value();
    Result<Helper> helper = Helper::start(
        {.program = &shell, .argv = {"sh", "-c", "exit 7"}, .env = {}, .socket = &pipe.write});
    ASSERT_TRUE(helper);
    pollfd ready{.fd = helper->pidfd().get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&ready, 1, 10'000), 1);
    EXPECT_EQ(WEXITSTATUS(helper->stop()), 7);
    EXPECT_EQ(helper->stop(), -1);
}

TEST(OwnDirectory, HoldsTheRunningProgram) {
    const std::string directory = own_directory().value();
    EXPECT_EQ(access((directory + "/platform_tests").c_str(), X_OK), 0) << directory;
}

}  // namespace
}  // namespace knarr::sys
