#include "platform/among_threads.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <malloc.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/own_copy.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/sanitized.h"

namespace knarr::sys {
namespace {

#ifdef __SANITIZE_THREAD__
constexpr bool kHasOwnThread = true;  // ThreadSanitizer's
#else
constexpr bool kHasOwnThread = false;
#endif

TEST(HasOtherThreads, CountsThoseThatAreThereNow) {
    if (kHasOwnThread) {
        GTEST_SKIP() << "ThreadSanitizer has a thread of its own";
    }
    EXPECT_FALSE(has_other_threads());
    std::atomic<bool> done = false;
    std::thread other([&] {
        while (!done) {
            std::this_thread::yield();
        }
    });
    EXPECT_TRUE(has_other_threads());
    const Result<> moved = run_from_unwritable_file();
    EXPECT_TRUE(!moved && moved.error().code == Errc::wrong_state);
    done = true;
    other.join();
    EXPECT_FALSE(has_other_threads());
}

TEST(CloneAmongThreads, TheChildIsOursAndInheritsNoLockOfTheAllocator) {
    if (kHasOwnThread) {
        GTEST_SKIP() << "ThreadSanitizer ends children that start threads";
    }
    if (kIsSanitized) {
        GTEST_SKIP() << "AddressSanitizer's allocator does not let go of its locks over a fork";
    }
    mallopt(M_ARENA_MAX, 1);  // all threads share its lock, as many threads would anyway
    std::atomic<bool> done = false;
    std::vector<std::thread> others(3);
    for (std::thread& other : others) {
        other = std::thread([&] {
            std::vector<std::string> held(64);
            for (std::size_t i = 0; !done; ++i) {
                held[i % held.size()] = std::string(1 + (i * 7919) % 5000, 'x');
            }
        });
    }
    for (int round = 0; round < 200 && !HasFailure(); ++round) {
        const auto clone = clone_process(0);
        ASSERT_TRUE(clone) << clone.error().message;
        if (clone->in_child()) {
            std::vector<std::string> texts(32, std::string(3000, 'y'));
            std::thread([] {}).join();  // it has an arena of its own to ask for
            _exit(texts.size() == 32 && getppid() > 1 ? 7 : 8);
        }
        const auto ended = wait_ended(clone->pidfd, std::chrono::seconds(20));
        EXPECT_TRUE(ended && *ended) << "the child waits for ever";
        if (!ended || !*ended) {
            kill_and_reap(clone->pidfd);
            continue;
        }
        const auto status = reap(clone->pidfd);  // fails for another's child
        ASSERT_TRUE(status) << status.error().message;
        EXPECT_EQ(status->code(), 7);
    }
    done = true;
    for (std::thread& other : others) {
        other.join();
    }
}

TEST(CloneAmongThreads, SaysWhyThereIsNoChild) {
    const RawClone made = clone_among_threads([] { return RawClone{.pid = -1, .error = ENOSPC}; });
    EXPECT_EQ(made.pid, -1);
    EXPECT_EQ(made.error, ENOSPC);
}

}  // namespace
}  // namespace knarr::sys
