#include "knarr/operation.h"

#include <csignal>
#include <string>

#include <poll.h>

#include <gtest/gtest.h>

namespace knarr {
namespace {

bool is_readable(int fd, int wait_ms) {
    pollfd item{.fd = fd, .events = POLLIN, .revents = 0};
    return poll(&item, 1, wait_ms) == 1;
}

TEST(Operation, ItsDescriptorSaysThatTheResultIsThere) {
    auto operation = Operation<std::string>::begin([](int) { return Result<std::string>("yes"); });
    ASSERT_TRUE(operation);
    EXPECT_TRUE(is_readable(operation->fd(), 10'000));
    EXPECT_TRUE(is_readable(operation->fd(), 0)) << "it stays readable";
    EXPECT_EQ(operation->take().value(), "yes");
    EXPECT_EQ(operation->take().error().code, Errc::wrong_state);
}

TEST(Operation, CancelReachesTheCall) {
    auto operation = Operation<>::begin([](int cancel_fd) -> Result<> {
        is_readable(cancel_fd, -1);
        return fail(Errc::interrupted, "cancelled");
    });
    ASSERT_TRUE(operation);
    EXPECT_FALSE(is_readable(operation->fd(), 20));
    operation->cancel();
    EXPECT_EQ(operation->take().error().code, Errc::interrupted);
}

TEST(Operation, OneThatIsDroppedIsCancelledAndWaitedFor) {
    bool ended = false;
    {
        const auto operation = Operation<>::begin([&](int cancel_fd) -> Result<> {
            is_readable(cancel_fd, -1);
            ended = true;
            return {};
        });
        ASSERT_TRUE(operation);
        auto moved = Operation<>::begin([](int) { return Result<>{}; });
        const Operation<> there = std::move(*moved);
        EXPECT_TRUE(is_readable(there.fd(), 10'000));
    }
    EXPECT_TRUE(ended);
}

TEST(Operation, ItsThreadLeavesSignalsToTheOthers) {
    auto operation = Operation<bool>::begin([](int) -> Result<bool> {
        sigset_t blocked;
        pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
        return sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGCHLD) == 1;
    });
    ASSERT_TRUE(operation);
    EXPECT_TRUE(operation->take().value());
}

}  // namespace
}  // namespace knarr
