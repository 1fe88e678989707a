#include "platform/stream.h"

#include <csignal>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/kept_offsets.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/socket.h"

namespace knarr::sys {
namespace {

class Stream : public testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/knarr-stream-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        base_ = name;
        dir_ = *open_path(base_, O_RDONLY | O_DIRECTORY);
        file_ = *open_at(dir_, "file", O_RDWR | O_CREAT, 0600);
    }
    void TearDown() override {
        const Fd tmp = *open_path("/tmp", O_RDONLY | O_DIRECTORY);
        EXPECT_TRUE(remove_tree_at(tmp, base_.substr(5)).has_value());
    }
    std::string base_;
    Fd dir_, file_;
};

TEST_F(Stream, BytesMoveFromTheFifoToTheFile) {
    Fifo fifo = *make_fifo_at(dir_, "fifo");
    std::int64_t place = 0;
    EXPECT_EQ(*move_to_file(fifo.read, file_, place, 100), std::nullopt);
    ASSERT_TRUE(write_all(fifo.write, "hello").has_value());
    EXPECT_EQ(**move_to_file(fifo.read, file_, place, 100), 5U);
    EXPECT_EQ(place, 5);
    ASSERT_TRUE(write_all(fifo.write, " again").has_value());
    EXPECT_EQ(**move_to_file(fifo.read, file_, place, 100), 6U);
    EXPECT_EQ(*read_part(file_, 0, 100), "hello again");
    EXPECT_EQ(*read_part(file_, 6, 3), "aga");
    fifo.write.reset();
    EXPECT_EQ(**move_to_file(fifo.read, file_, place, 100), 0U);
    EXPECT_EQ(place, 11);
}

TEST_F(Stream, WhatIsInTheFifoWaitsForTheNextReader) {
    Fifo fifo = *make_fifo_at(dir_, "fifo");
    ASSERT_TRUE(write_all(fifo.write, "kept").has_value());
    fifo.read.reset();
    ASSERT_TRUE(write_all(fifo.write, " too").has_value()) << "no reader is no error";
    const Fd again = *open_fifo_at(dir_, "fifo");
    std::int64_t place = 0;
    EXPECT_EQ(**move_to_file(again, file_, place, 100), 8U);
}

TEST_F(Stream, AKeptOffsetTellsHowMuchOneThatWasKilledHadMoved) {
    const Fd page = *open_at(dir_, "page", O_RDWR | O_CREAT, 0600);
    const KeptOffsets kept = *KeptOffsets::map(page);
    Fifo fifo = *make_fifo_at(dir_, "fifo");
    const std::string bytes(60'000, 'x');
    int cut_short = 0;
    // Most are through before they are killed where the machine has little to do, or much.
    for (int round = 0; round < 100 || (cut_short <= 5 && round < 2000); ++round) {
        ASSERT_TRUE(write_all(fifo.write, bytes).has_value());
        ASSERT_TRUE(kept.set(1, 0));
        const Clone child = *clone_process(0);
        if (child.in_child()) {
            const KeptOffsets own = *KeptOffsets::map(page);
            while (const auto moved = move_to_file(fifo.read, file_, own.for_kernel(1), 20)) {
                if (!*moved) {
                    break;
                }
            }
            _exit(0);
        }
        while (*kept.get(1) < std::int64_t{round % 100} * 450) {
            __asm__ volatile("pause" ::: "memory");
        }
        ASSERT_TRUE(pidfd_send_signal(child.pidfd, SIGKILL).has_value());
        ASSERT_TRUE(*wait_ended(child.pidfd, std::nullopt));
        ASSERT_TRUE(reap_child(child.pid));
        const std::uint64_t rest = *bytes_held(fifo.read);
        cut_short += rest > 0 ? 1 : 0;
        ASSERT_EQ(static_cast<std::uint64_t>(*kept.get(1)) + rest, bytes.size()) << round;
        std::int64_t end = *kept.get(1);
        ASSERT_TRUE(rest == 0 || move_to_file(fifo.read, file_, end, rest).has_value());
    }
    EXPECT_GT(cut_short, 5) << "hardly one was killed while it moved";
}

TEST_F(Stream, OffsetsInAFileThatWasCutAreAnErrorAndNoSignal) {
    const Fd page = *open_at(dir_, "page", O_RDWR | O_CREAT, 0600);
    const KeptOffsets kept = *KeptOffsets::map(page);
    ASSERT_TRUE(set_size(page, 0));
    EXPECT_EQ(kept.get(1).error().code, Errc::corrupt);
    Fifo fifo = *make_fifo_at(dir_, "fifo");
    ASSERT_TRUE(write_all(fifo.write, "x"));
    EXPECT_EQ(move_to_file(fifo.read, file_, kept.for_kernel(1), 100).error().sys_errno, EFAULT);
    ASSERT_TRUE(kept.set(1, 5));
    EXPECT_EQ(*kept.get(1), 5);
}

TEST_F(Stream, KeptOffsetsOfAnotherProcessAreFoundInTheFile) {
    {
        const KeptOffsets first = *KeptOffsets::map(file_);
        EXPECT_EQ(*first.get(0), 0);
        ASSERT_TRUE(first.set(0, 7));
        first.for_kernel(1) = -1;
    }
    const KeptOffsets second = *KeptOffsets::map(file_);
    EXPECT_EQ(*second.get(0), 7);
    EXPECT_EQ(*second.get(1), -1);
}

TEST_F(Stream, AWatchTellsOfChangesInADirectory) {
    DirWatch watch = *DirWatch::open();
    ASSERT_TRUE(watch.add(base_).has_value());
    Ready item{.fd = watch.fd().get()};
    ASSERT_TRUE(wait_ready({&item, 1}, 0).has_value());
    EXPECT_FALSE(item.is_ready);
    ASSERT_TRUE(write_all(file_, "x").has_value());
    ASSERT_TRUE(wait_ready({&item, 1}, 10'000).has_value());
    EXPECT_TRUE(item.is_ready);
    watch.clear();
    ASSERT_TRUE(wait_ready({&item, 1}, 0).has_value());
    EXPECT_FALSE(item.is_ready);
    EXPECT_EQ(watch.add(base_ + "/none").error().sys_errno, ENOENT);
}

TEST_F(Stream, WithoutAnyMoreWatchesItTicks) {
    std::vector<DirWatch> all;
    constexpr std::size_t kTooMany = 100'000;
    while (all.size() < kTooMany) {
        Result<DirWatch> more = DirWatch::open();
        if (!more) {
            EXPECT_EQ(more.error().sys_errno, EMFILE);
            break;
        }
        all.push_back(std::move(*more));
    }
    if (all.empty() || all.size() == kTooMany || !open_path("/dev/null", O_RDONLY)) {
        GTEST_SKIP() << "the user's limit of inotify instances is not met before that of files";
    }
    DirWatch watch = *DirWatch::open_or_tick();
    all.clear();
    ASSERT_TRUE(watch.add(base_).has_value());
    for (int i = 0; i < 2; ++i) {
        Ready item{.fd = watch.fd().get()};
        ASSERT_TRUE(wait_ready({&item, 1}, 10'000).has_value());
        EXPECT_TRUE(item.is_ready);
        watch.clear();
    }
}

TEST(Strangers, ReapAnyTellsWhichChildEndedHow) {
    const Clone child = *clone_process(0);
    if (child.in_child()) {
        _exit(7);
    }
    EXPECT_TRUE(has_children());
    ASSERT_TRUE(*wait_ended(child.pidfd, std::nullopt));
    EXPECT_FALSE(exit_of_stranger(child.pidfd)) << "nobody has reaped it";
    const auto seen = ended_child();
    const auto reaped = reap_any();
    ASSERT_TRUE(seen && reaped);  // to be seen does not reap it
    EXPECT_EQ(seen->pid, reaped->pid);
    EXPECT_EQ(seen->status.code(), reaped->status.code());
    ASSERT_TRUE(reaped.has_value());
    EXPECT_EQ(reaped->pid, child.pid);
    EXPECT_EQ(reaped->status.code(), 7);
    EXPECT_FALSE(has_children());
    if (const auto status = exit_of_stranger(child.pidfd)) {  // Linux 6.15
        EXPECT_EQ(status->code(), 7);
    }
}

TEST(Strangers, ASignalIsSeenAsOne) {
    const Clone child = *clone_process(0);
    if (child.in_child()) {
        pause();
        _exit(0);
    }
    ASSERT_TRUE(pidfd_send_signal(child.pidfd, SIGKILL).has_value());
    ASSERT_TRUE(*wait_ended(child.pidfd, std::nullopt));
    EXPECT_EQ(reap_any()->status.code(), 137);
    if (const auto status = exit_of_stranger(child.pidfd)) {
        EXPECT_EQ(status->code(), 137);
    }
}

}  // namespace
}  // namespace knarr::sys
