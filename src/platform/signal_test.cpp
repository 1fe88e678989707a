#include "platform/signal.h"

#include <unistd.h>

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

TEST(Signal, NamesAreReadWithAndWithoutPrefixInAnyCase) {
    EXPECT_EQ(*parse_signal("TERM"), 15);
    EXPECT_EQ(*parse_signal("SIGTERM"), 15);
    EXPECT_EQ(*parse_signal("sigusr1"), 10);
    EXPECT_EQ(*parse_signal("15"), 15);
    EXPECT_EQ(*parse_signal("0"), 0);
    EXPECT_EQ(*parse_signal("64"), 64);
    EXPECT_EQ(*parse_signal("IOT"), 6);
}

TEST(Signal, RealTimeSignalsCountFromTheCLibrarysFirst) {
    EXPECT_EQ(*parse_signal("RTMIN"), 34);
    EXPECT_EQ(*parse_signal("RTMIN+3"), 37);
    EXPECT_EQ(*parse_signal("SIGRTMAX-2"), 62);
    EXPECT_EQ(*parse_signal("RTMAX"), 64);
}

TEST(Signal, EveryNumberHasATextThatReadsBackToIt) {
    for (int number = 1; number <= kMaxSignal; ++number) {
        const std::string name = signal_name(number);
        if (number != 32 && number != 33) {
            EXPECT_EQ(parse_signal(name).value_or(-1), number) << name;
        }
        EXPECT_EQ(parse_signal(std::to_string(number)).value_or(-1), number);
    }
}

TEST(Signal, NonsenseIsRefused) {
    for (const char* text :
         {"", "SIG", "65", "-1", "FOO", "RTMIN+31", "RTMAX+1", "RTMIN-1", "9x"}) {
        const auto parsed = parse_signal(text);
        ASSERT_FALSE(parsed.has_value()) << text;
        EXPECT_EQ(parsed.error().code, Errc::invalid_argument);
    }
}

TEST(Signal, AHeldBackSignalIsReadInsteadOfDelivered) {
    SignalFd signals = *SignalFd::open();
    EXPECT_FALSE(signals.next()->has_value());
    ASSERT_EQ(kill(getpid(), SIGTERM), 0);
    EXPECT_EQ(**signals.next(), SIGTERM);
}

TEST(Signal, ThoseThatEndAProgramAreHeldBackAloneAndNotWhereTheyAreIgnored) {
    ASSERT_NE(signal(SIGHUP, SIG_IGN), SIG_ERR);
    SignalFd signals = *SignalFd::open_ending();
    sigset_t now;
    sigprocmask(SIG_SETMASK, nullptr, &now);
    EXPECT_EQ(sigismember(&now, SIGINT), 1);
    EXPECT_EQ(sigismember(&now, SIGTERM), 1);
    for (const int number : {SIGHUP, SIGCHLD, SIGPIPE, SIGWINCH, SIGQUIT}) {
        EXPECT_EQ(sigismember(&now, number), 0) << number;
    }
    ASSERT_EQ(kill(getpid(), SIGINT), 0);
    EXPECT_EQ(**signals.next(), SIGINT);
    ASSERT_NE(signal(SIGHUP, SIG_DFL), SIG_ERR);
}

TEST(Signal, TheMaskIsRestored) {
    {
        SignalFd signals = *SignalFd::open();
    }
    sigset_t now;
    sigprocmask(SIG_SETMASK, nullptr, &now);
    EXPECT_EQ(sigismember(&now, SIGTERM), 0);
}

TEST(Signal, OwnFaultsAreNeverForwarded) {
    for (const int number : {SIGKILL, SIGSTOP, SIGSEGV, SIGCHLD, SIGPIPE, 32, 33, 0, 65}) {
        EXPECT_FALSE(is_forwardable(number)) << number;
    }
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGWINCH, SIGUSR2, 34, 64}) {
        EXPECT_TRUE(is_forwardable(number)) << number;
    }
}

}  // namespace
}  // namespace knarr::sys
