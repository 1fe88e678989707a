#include "engine/owner.h"

#include <array>
#include <thread>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/socket.h"
#include "platform/task.h"

namespace knarr::engine {
namespace {

constexpr int kPatienceMs = 30'000;

/// What `body` returns, run by a process of an ordinary user; -1 for one that does not end.
int as_ordinary_user(const std::function<int()>& body) {
    const sys::Clone child = sys::clone_process(0).value();
    if (child.in_child()) {
        constexpr unsigned kUser = 12345;
        if (sys::effective_uid() == 0 && (syscall(SYS_setresgid, kUser, kUser, kUser) != 0 ||
                                          syscall(SYS_setresuid, kUser, kUser, kUser) != 0)) {
            _exit(100);
        }
        static_cast<void>(sys::set_dumpable(true));
        _exit(body());
    }
    std::array<sys::Ready, 1> end{{{.fd = child.pidfd.get()}}};
    EXPECT_TRUE(sys::wait_ready(end, kPatienceMs));
    if (!end[0].is_ready) {
        sys::kill_and_reap(child.pidfd);
        return -1;
    }
    return sys::reap(child.pidfd).value().code();
}

bool can_be_owner() {
    return as_ordinary_user([] {
               const auto done = as_owner([]() -> Result<std::string> { return "x"; });
               return done && *done == "x" ? 0 : 1;
           }) == 0;
}

/// Until there is a word in it.
void await(const sys::Fd& pipe) {
    char word = 0;
    static_cast<void>(sys::read_full(pipe, std::span(&word, 1)));
}

TEST(AsOwner, AnAnswerThatIsTooLargeIsAnError) {
    if (!can_be_owner()) {
        GTEST_SKIP() << "needs user namespaces for ordinary users";
    }
    const auto code = [](std::size_t bytes) {
        return as_ordinary_user([bytes] {
            const auto done =
                as_owner([bytes]() -> Result<std::string> { return std::string(bytes, 'x'); });
            return done ? 1 : done.error().code == Errc::limit_exceeded ? 2 : 3;
        });
    };
    EXPECT_EQ(code(1 << 20), 1);
    EXPECT_EQ(code(64 << 20), 2);
}

TEST(AsOwner, NewsThatAreTooLargeAreAnError) {
    if (!can_be_owner()) {
        GTEST_SKIP() << "needs user namespaces for ordinary users";
    }
    EXPECT_EQ(as_ordinary_user([] {
                  const auto work = [](const OwnerSide& side) -> Result<std::string> {
                      side.tell(std::string(2 << 20, 'x'));
                      return std::string();
                  };
                  const auto hear = [](std::string_view) -> Result<> { return {}; };
                  const auto done = as_owner(work, {.hear = hear, .cancel_fd = -1});
                  return done ? 1 : done.error().code == Errc::limit_exceeded ? 2 : 3;
              }),
              2);
}

TEST(AsOwner, OneThatIsKilledIsAnError) {
    if (!can_be_owner()) {
        GTEST_SKIP() << "needs user namespaces for ordinary users";
    }
    EXPECT_EQ(as_ordinary_user([] {
                  const auto done = as_owner([]() -> Result<std::string> {
                      raise(SIGKILL);
                      return std::string();
                  });
                  return done ? 1 : 2;
              }),
              2);
}

/// The first call ends while the child of the second, which has all of its pipes, goes on.
int two_at_once() {
    const sys::Pipe cancel = sys::make_pipe().value();
    const sys::Pipe first = sys::make_pipe().value();
    const sys::Pipe second = sys::make_pipe().value();
    const sys::Pipe release = sys::make_pipe().value();
    std::string heard;
    Result<std::string> done = std::string();
    std::thread one([&] {
        const auto work = [](const OwnerSide& side) -> Result<std::string> {
            side.tell("begun");
            std::array<sys::Ready, 1> end{{{.fd = side.cancel_fd}}};
            while (!end[0].is_ready) {
                static_cast<void>(sys::wait_ready(end, -1));
            }
            side.tell("cancelled");
            return "done";
        };
        const auto hear = [&](std::string_view news) {
            heard += std::string(news) + " ";
            return news == "begun" ? sys::write_all(first.write, "x") : Result<>{};
        };
        done = as_owner(work, {.hear = hear, .cancel_fd = cancel.read.get()});
    });
    await(first.read);
    std::thread other([&] {
        static_cast<void>(as_owner([&]() -> Result<std::string> {
            static_cast<void>(sys::write_all(second.write, "x"));
            await(release.read);
            return "other";
        }));
    });
    await(second.read);
    static_cast<void>(sys::write_all(cancel.write, "x"));
    one.join();
    static_cast<void>(sys::write_all(release.write, "x"));
    other.join();
    return done && *done == "done" && heard == "begun cancelled " ? 0 : 1;
}

TEST(AsOwner, CallsOfSeveralThreadsDoNotWaitForEachOther) {
    if (!can_be_owner()) {
        GTEST_SKIP() << "needs user namespaces for ordinary users";
    }
    EXPECT_EQ(as_ordinary_user(two_at_once), 0);
}

}  // namespace
}  // namespace knarr::engine
