#include "platform/pidfd.h"

#include <csignal>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

/// A child that does nothing until it is killed; reaped when the test ends.
class Sleeper {
public:
    Sleeper() {
        char name[] = "sleep", arg[] = "1000";
        char* argv[] = {name, arg, nullptr};
        EXPECT_EQ(posix_spawnp(&pid_, "sleep", nullptr, nullptr, argv, environ), 0);
    }
    ~Sleeper() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    pid_t pid() const { return pid_; }

private:
    pid_t pid_ = -1;
};

TEST(Pidfd, TheStartTimeTellsAProcessFromALaterOneWithItsPid) {
    const Sleeper child;
    const auto stat = *process_stat(child.pid());
    ASSERT_TRUE(stat.has_value());
    EXPECT_TRUE(open_process(child.pid(), stat->start_ticks)->has_value());
    EXPECT_FALSE(open_process(child.pid(), stat->start_ticks + 1)->has_value());
}

TEST(Pidfd, OneThatIsKilledIsSeenUntilItIsGone) {
    const Sleeper child;
    EXPECT_FALSE(is_being_killed(child.pid()));
    EXPECT_FALSE(is_being_killed(getpid()));
    const Fd pidfd = *pidfd_open(child.pid());
    ASSERT_TRUE(pidfd_send_signal(pidfd, SIGKILL).has_value());
    EXPECT_TRUE(is_being_killed(child.pid()));  // pending, on its way out, or a zombie of ours
    ASSERT_TRUE(*wait_ended(pidfd, std::chrono::seconds(10)));
    EXPECT_TRUE(reap(pidfd).has_value());
    EXPECT_FALSE(is_being_killed(child.pid()));
}

TEST(Pidfd, AZombieHasEnded) {
    const Sleeper child;
    const auto start = (*process_stat(child.pid()))->start_ticks;
    const Fd pidfd = *pidfd_open(child.pid());
    ASSERT_TRUE(pidfd_send_signal(pidfd, SIGKILL).has_value());
    ASSERT_TRUE(*wait_ended(pidfd, std::chrono::seconds(10)));
    EXPECT_TRUE((*process_stat(child.pid()))->dead());
    EXPECT_FALSE(open_process(child.pid(), start)->has_value());
    EXPECT_TRUE(open_process_or_zombie(child.pid(), start)->has_value());
    EXPECT_FALSE(open_process_or_zombie(child.pid(), start + 1)->has_value());
}

TEST(Pidfd, ASignalledChildCounts128AndItsSignal) {
    const Sleeper child;
    const Fd pidfd = *pidfd_open(child.pid());
    EXPECT_FALSE(try_reap(pidfd)->has_value());
    ASSERT_TRUE(pidfd_send_signal(pidfd, SIGTERM).has_value());
    const ExitStatus status = *reap(pidfd);
    EXPECT_TRUE(status.signaled);
    EXPECT_EQ(status.code(), 143);
}

TEST(Pidfd, WaitingGivesUpAtItsTimeout) {
    const Sleeper child;
    EXPECT_FALSE(*wait_ended(*pidfd_open(child.pid()), std::chrono::milliseconds(1)));
}

TEST(Pidfd, AReapedLeaderWhoseSessionGoesOnHasEnded) {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    char name[] = "sh", option[] = "-c", script[] = "sleep 1000 & :";
    char* argv[] = {name, option, script, nullptr};
    pid_t leader = -1;
    ASSERT_EQ(posix_spawnp(&leader, "sh", nullptr, &attributes, argv, environ), 0);
    ASSERT_EQ(waitpid(leader, nullptr, 0), leader);
    ASSERT_EQ(kill(-leader, 0), 0);  // its group has its pid still

    const auto opened = pidfd_open(leader);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().sys_errno, ESRCH);
    EXPECT_FALSE(open_process(leader, 1)->has_value());

    kill(-leader, SIGKILL);
    posix_spawnattr_destroy(&attributes);
}

TEST(Pidfd, NoProcessIsNothingNotAnError) {
    EXPECT_FALSE(open_process(0, 1)->has_value());
    EXPECT_FALSE(process_stat(0x7ffffff0)->has_value());
    EXPECT_FALSE(open_process(0x3fffff, 1)->has_value());
}

}  // namespace
}  // namespace knarr::sys
