#include "engine/own_log.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/socket.h"
#include "platform/testing_directory.h"

namespace knarr::engine {
namespace {

TEST(OwnLog, ARecordIsSpelledAsRuncsCallersReadIt) {
    const OwnRecord record{
        .level = LogLevel::warning, .text = "a \"b\"\n", .id = "box", .op = "image rm"};
    EXPECT_EQ(log_record(LogFormat::text, record, "T"),
              R"(time="T" level=warning msg="a \"b\"\\x0a" id="box" op="image rm")");
    EXPECT_EQ(log_record(LogFormat::json, record, "T"),
              R"({"level":"warning","msg":"a \"b\"\n","time":"T","id":"box","op":"image rm"})");
    EXPECT_EQ(log_record(LogFormat::json, {.text = "x"}, "T"),
              R"({"level":"error","msg":"x","time":"T"})");
}

TEST(OwnLog, WrongWordsNameWhoSaidThem) {
    const auto level = parse_log_level("loud", "KNARR_LOG_LEVEL");
    ASSERT_FALSE(level);
    EXPECT_EQ(level.error().message,
              "KNARR_LOG_LEVEL \"loud\" is none of error, warning, info, debug");
    EXPECT_FALSE(parse_log_format("", "--log-format"));
    EXPECT_EQ(parse_log_level("warn", "").value(), LogLevel::warning);
    EXPECT_EQ(parse_log_level("fatal", "").value(), LogLevel::error);
}

TEST(OwnLog, AMonitorReadsWhatItsStarterWrote) {
    const OwnLog log{.file = "/tmp/a b", .format = LogFormat::json, .level = LogLevel::info};
    for (const std::string& variable : environment_of(log)) {
        const std::size_t equals = variable.find('=');
        setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
    }
    const OwnLog read = log_of_environment();
    EXPECT_EQ(read.file, log.file);
    EXPECT_EQ(read.format, log.format);
    EXPECT_EQ(read.level, log.level);
    for (const char* name : {kLogVariable, kLogFormatVariable, kLogLevelVariable}) {
        unsetenv(name);
    }
    EXPECT_EQ(environment_of(OwnLog{}).size(), 0U);
}

TEST(OwnLog, NoLinkIsFollowedToItsFile) {
    const sys::TestDirectory dir;
    const std::string link = dir.path() + "/log", target = dir.path() + "/target";
    ASSERT_EQ(symlink(target.c_str(), link.c_str()), 0);
    const auto refused = check_own_log({.file = link});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("is a symbolic link"), std::string::npos);
    write_own_log({.file = link}, {.text = "x"});
    EXPECT_NE(access(target.c_str(), F_OK), 0);
    EXPECT_TRUE(check_own_log({.file = target}));
    const std::string other = dir.path() + "/other";
    ASSERT_EQ(::link(target.c_str(), other.c_str()), 0);
    EXPECT_FALSE(check_own_log({.file = other}));
}

TEST(OwnLog, DevicesAndDescriptorsAreLogsButDirectoriesAreNot) {
    const sys::TestDirectory dir;
    const sys::Fd file = *sys::open_path(dir.path() + "/log", O_RDWR | O_CREAT, 0600);
    const std::string own = "/proc/self/fd/" + std::to_string(file.get());
    EXPECT_TRUE(check_own_log({.file = "/dev/null"}));
    EXPECT_TRUE(check_own_log({.file = own}));
    EXPECT_EQ(environment_of({.file = own}).size(), 0U) << "a monitor has others";
    EXPECT_EQ(environment_of({.file = "/dev/stderr"}).size(), 0U);
    EXPECT_FALSE(check_own_log({.file = "/proc/self/fd/999"}));
    EXPECT_FALSE(check_own_log({.file = dir.path()}));
}

TEST(OwnLog, WhatStrangersMayExchangeIsRefused) {
    if (sys::effective_uid() != 0) {
        GTEST_SKIP() << "only root can give a directory away";
    }
    const sys::TestDirectory dir;
    const std::string theirs = dir.path() + "/theirs", log = theirs + "/log";
    ASSERT_EQ(mkdir(theirs.c_str(), 0755), 0);
    ASSERT_EQ(chown(theirs.c_str(), 0, 4321), 0);
    ASSERT_EQ(chmod(theirs.c_str(), 0775), 0);
    EXPECT_TRUE(check_own_log({.file = log})) << "as /var/log is";
    ASSERT_EQ(chown(log.c_str(), 4321, 4321), 0);
    EXPECT_FALSE(check_own_log({.file = log})) << "their file";
    ASSERT_EQ(unlink(log.c_str()), 0);
    ASSERT_EQ(chmod(theirs.c_str(), 0777), 0);
    EXPECT_FALSE(check_own_log({.file = log}));
    ASSERT_EQ(chmod(theirs.c_str(), 0755), 0);
    ASSERT_EQ(chown(theirs.c_str(), 4321, 4321), 0);
    const auto refused = check_own_log({.file = log});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("of user 4321"), std::string::npos);
    EXPECT_NE(access(log.c_str(), F_OK), 0) << "nothing is made there";
    EXPECT_FALSE(check_own_log({.file = dir.path() + "/missing/log"}));
}

TEST(OwnLog, AFifoThatNobodyReadsIsNoErrorAndOneLeftBehindNoSignal) {
    const sys::TestDirectory dir;
    const std::string fifo = dir.path() + "/fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_TRUE(check_own_log({.file = fifo}));
    write_own_log({.file = fifo}, {.text = "x"});
    int ends[2] = {};
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const sys::Fd writer(ends[1]);
    close(ends[0]);
    // Nobody reads: without the mend the test ends here.
    EXPECT_EQ(sys::write_without_signal(writer, "x").error().sys_errno, EPIPE);
}

TEST(OwnLog, WhatIsSaidAgainIsWrittenOnceAMinute) {
    Repeats repeats;
    const Clock::Steady start{};
    const auto at = [&](int seconds) { return start + std::chrono::seconds(seconds); };
    EXPECT_EQ(repeats.next("full", at(0)), "full");
    EXPECT_EQ(repeats.next("other", at(1)), "other");
    for (int second = 2; second < 60; ++second) {
        EXPECT_EQ(repeats.next("full", at(second)), std::nullopt);
    }
    EXPECT_EQ(repeats.next("full", at(60)), "full (repeated 58 times)");
    EXPECT_EQ(repeats.next("full", at(61)), std::nullopt);
}

}  // namespace
}  // namespace knarr::engine
