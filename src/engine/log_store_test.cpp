#include "engine/log_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/kept_offsets.h"
#include "platform/stream.h"
#include "platform/testing_directory.h"

namespace knarr::engine {
namespace {

class LogStore : public testing::Test {
protected:
    void SetUp() override {
        state_ = *sys::open_path(base_, O_RDONLY | O_DIRECTORY);
        fifo_ = *sys::make_fifo_at(state_, fifo_name(LogStream::out));
    }
    LogWriter writer(LogPolicy policy = {}) {
        EXPECT_TRUE(sys::make_dirs(base_ + "/logs", 0700).has_value());
        Result<LogWriter> opened = LogWriter::open(state_, base_ + "/logs", policy);
        EXPECT_TRUE(opened.has_value());
        return std::move(*opened);
    }
    void write(std::string_view bytes) {
        ASSERT_TRUE(sys::write_all(fifo_.write, bytes).has_value());
    }
    void take_all(LogWriter& log) {
        Result<LogWriter::More> more = LogWriter::More::perhaps;
        while (more && *more == LogWriter::More::perhaps) {
            more = log.take(LogStream::out, fifo_.read);
        }
        ASSERT_TRUE(more.has_value()) << more.error().message;
    }
    std::vector<std::uint64_t> numbers() {
        return *log_numbers(*sys::open_path(base_ + "/logs", O_RDONLY | O_DIRECTORY));
    }
    std::string file(std::uint64_t number) {
        return sys::read_file(base_ + "/logs/" + log_name(number), 1 << 20).value_or("");
    }
    /// What the program wrote, of all log files.
    std::string all() {
        std::string out;
        for (const std::uint64_t number : numbers()) {
            std::string text = file(number);
            for (std::size_t end = text.find('\n'); end != std::string::npos;
                 end = text.find('\n')) {
                const auto entry = parse_entry(std::string_view(text).substr(0, end));
                EXPECT_TRUE(entry) << text.substr(0, end);
                if (entry) {
                    out += entry->text;
                    out += entry->ends_line ? "\n" : "";
                }
                text.erase(0, end + 1);
            }
        }
        return out;
    }

    /// As one that is killed then.
    void move_into_spool() {
        const sys::Fd spool = *sys::open_path(base_ + "/stdout.spool", O_WRONLY);
        const sys::Fd file = *sys::open_path(base_ + "/log.in", O_RDWR);
        const sys::KeptOffsets filled = *sys::KeptOffsets::map(file);
        ASSERT_TRUE(
            sys::move_to_file(fifo_.read, spool, filled.for_kernel(0), 1 << 16)->has_value());
    }

    sys::TestDirectory scratch_;
    std::string base_ = scratch_.path();
    sys::Fd state_;
    sys::Fifo fifo_;
};

TEST_F(LogStore, TakesWhatIsInTheFifo) {
    LogWriter log = writer();
    EXPECT_EQ(*log.take(LogStream::out, fifo_.read), LogWriter::More::empty);
    write("hello\nwor");
    take_all(log);
    EXPECT_EQ(all(), "hello\nwor");
    write("ld\n");
    take_all(log);
    EXPECT_EQ(all(), "hello\nworld\n");
    fifo_.write.reset();
    EXPECT_EQ(*log.take(LogStream::out, fifo_.read), LogWriter::More::ended);
}

TEST_F(LogStore, TakesAllThatALargePipeHolds) {
    LogWriter log = writer();
    ASSERT_GE(fcntl(fifo_.write.get(), F_SETPIPE_SZ, 1 << 20), 1 << 20);
    const std::string large(600'000, 'x');
    write(large);
    EXPECT_EQ(*log.take_held(LogStream::out, fifo_.read), LogWriter::More::perhaps);
    EXPECT_EQ(all(), large);
    EXPECT_EQ(*log.take_held(LogStream::out, fifo_.read), LogWriter::More::empty);
}

TEST_F(LogStore, TheNextWriterGoesOnWhereTheLastOneWas) {
    {
        LogWriter log = writer();
        write("one\n");
        take_all(log);
    }
    write("two\n");  // while nobody writes the log
    LogWriter next = writer();
    take_all(next);
    EXPECT_EQ(all(), "one\ntwo\n");
    EXPECT_EQ(numbers().size(), 1U);
}

TEST_F(LogStore, WhatWasWrittenButNotSaidSoIsWrittenAgainAndNotTwice) {
    {
        LogWriter log = writer();
        write("one\n");
        take_all(log);
    }
    // One that was killed had moved a line into the spool and written half of it to the log.
    write("two\n");
    move_into_spool();
    const sys::Fd log =
        *sys::open_path(base_ + "/logs/" + log_name(numbers().front()), O_WRONLY | O_APPEND);
    ASSERT_TRUE(sys::write_all(log, "2026-11-23T00:53:50.123456789Z stdout F tw").has_value());
    const LogWriter next = writer();
    EXPECT_EQ(all(), "one\ntwo\n");
}

TEST_F(LogStore, ASpoolIsUsedAgain) {
    LogWriter log = writer();
    std::string said;
    for (int round = 0; round < 25; ++round) {
        const std::string text = fmt::format("{} {}\n", round, std::string(30'000, 'x'));
        write(text);
        said += text;
        take_all(log);
        EXPECT_LE(sys::stat_at(state_, "stdout.spool").value()->st_size, 256 << 10);
    }
    EXPECT_EQ(all(), said);
    log.release_memory();
    EXPECT_EQ(sys::stat_at(state_, "stdout.spool").value()->st_size, 0);
    write("more\n");
    take_all(log);
    EXPECT_EQ(all(), said + "more\n");
}

TEST_F(LogStore, ASpoolThatWasToBeginAgainDoes) {
    {
        LogWriter log = writer();
        write("a line that was taken\n");
        take_all(log);
    }
    {
        // One that was killed had said that nothing is in it, and not that all is to be taken.
        const sys::Fd file = *sys::open_path(base_ + "/log.in", O_RDWR);
        ASSERT_TRUE(sys::KeptOffsets::map(file)->set(0, 0));
    }
    LogWriter next = writer();
    write("b\n");
    take_all(next);
    EXPECT_EQ(all(), "a line that was taken\nb\n");
}

TEST_F(LogStore, RubbishInPlaceOfWhatIsFilledBeginsANewFile) {
    std::string said;
    for (const std::int64_t rubbish :
         {std::int64_t{-1}, std::int64_t{500}, std::int64_t{1} << 40}) {
        {
            LogWriter log = writer();
            write("one\n");
            take_all(log);
            EXPECT_EQ(log.warning(), "");
            said += "one\n";
        }
        const sys::Fd file = *sys::open_path(base_ + "/log.in", O_RDWR);
        ASSERT_TRUE(sys::KeptOffsets::map(file)->set(0, rubbish));
        write("two\n");
        LogWriter next = writer();
        EXPECT_NE(next.warning().find("log.in"), std::string::npos) << rubbish;
        take_all(next);
        said += "two\n";
        EXPECT_EQ(all(), said);
    }
}

TEST_F(LogStore, WhatOthersCutOrWriteIsAnErrorAndANewWriterGoesOn) {
    const auto cut = [&](const char* name, off_t size) {
        const sys::Fd file = *sys::open_path(base_ + "/" + name, O_RDWR);
        ASSERT_TRUE(sys::set_size(file, size));
    };
    const auto take = [&](LogWriter& log) { return log.take(LogStream::out, fifo_.read); };
    LogWriter log = writer();
    write("one\n");
    take_all(log);
    cut("log.in", 0);
    write("two\n");
    EXPECT_EQ(take(log).error().code, Errc::corrupt);
    LogWriter second = writer();
    take_all(second);
    EXPECT_EQ(all(), "one\ntwo\n");
    const sys::Fd file = *sys::open_path(base_ + "/log.in", O_RDWR);
    ASSERT_TRUE(sys::KeptOffsets::map(file)->set(0, std::int64_t{1} << 40));
    write("three\n");
    EXPECT_EQ(take(second).error().code, Errc::corrupt);
    second.release_memory();
    LogWriter third = writer();
    EXPECT_NE(third.warning(), "");
    take_all(third);
    EXPECT_EQ(all(), "one\ntwo\nthree\n");
    // Filled, it says, with what is not there.
    cut("stdout.spool", 0);
    ASSERT_TRUE(sys::KeptOffsets::map(file)->set(0, 100));
    EXPECT_EQ(take(third).error().code, Errc::corrupt);
}

TEST_F(LogStore, FullFilesAreRotatedAndTheOldestRemoved) {
    LogWriter log = writer({.max_bytes = 200, .max_files = 2});
    for (int i = 0; i < 20; ++i) {
        write("a line of twenty byt\n");
    }
    take_all(log);
    EXPECT_EQ(numbers().size(), 2U);
    for (const std::uint64_t number : numbers()) {
        EXPECT_LE(file(number).size(), 200U);
        EXPECT_GT(file(number).size(), 0U);
    }
}

TEST_F(LogStore, WhatOneInFrontHasNotReadStaysUntilHeHas) {
    const std::string text = "a line of twenty byt\n";
    std::string said, read;
    const auto go_on = [&](LogWriter& log) {
        for (int i = 0; i < 20; ++i) {
            write(text);
            said += text;
        }
        take_all(log);
    };
    const LogPolicy policy{.max_bytes = 200, .max_files = 2};
    LogWriter log = writer(policy);
    sys::Fd dir = *sys::open_path(base_ + "/logs", O_RDONLY | O_DIRECTORY);
    ASSERT_TRUE(sys::lock_shared(dir));  // as a launcher hands it over
    go_on(log);
    const StateRoot root = *StateRoot::open(base_ + "/root");
    const Context context{.root = root, .warn = [](std::string_view told) { FAIL() << told; }};
    LogReader reader(context, std::move(dir), {});
    ASSERT_TRUE(reader.keep_unread());
    const LogSink sink = [&](const LogPart& part) -> Result<> {
        read += part.text;
        return {};
    };
    const std::size_t before = numbers().size();
    EXPECT_GT(before, 2U);
    ASSERT_TRUE(reader.read(sink));
    EXPECT_EQ(read, said);
    go_on(log);  // the one that he stands in, and all after it
    EXPECT_LT(numbers().front(), numbers().back() - 1);
    EXPECT_GE(numbers().front(), before - 1);
    const LogReader::Place end = log.place();
    const std::string until = said;
    go_on(log);
    reader.end_at(end);
    ASSERT_TRUE(reader.read(sink));
    EXPECT_EQ(read, until);
    reader = LogReader(context, sys::Fd(), {});
    LogWriter next = writer(policy);
    EXPECT_EQ(numbers().size(), 2U);
}

TEST_F(LogStore, AnEntryThatIsLongerThanAFileIsOneFile) {
    LogWriter log = writer({.max_bytes = 100, .max_files = 9});
    write(std::string(300, 'x') + "\nshort\n");
    take_all(log);
    EXPECT_EQ(all(), std::string(300, 'x') + "\nshort\n");
    EXPECT_EQ(numbers().size(), 2U);
}

TEST_F(LogStore, AfterAStateThatIsLostNoNumberIsUsedAgain) {
    {
        LogWriter log = writer();
        write("before\n");
        take_all(log);
    }
    const std::uint64_t before = numbers().back();
    ASSERT_TRUE(sys::unlink_at(state_, "log.at").has_value());
    ASSERT_TRUE(sys::unlink_at(state_, "stdout.spool").has_value());
    LogWriter next = writer();
    write("after\n");
    take_all(next);
    EXPECT_EQ(numbers().back(), before + 1);
    EXPECT_EQ(all(), "before\nafter\n");
}

TEST_F(LogStore, ADirectoryThatIsBeingRemovedIsNotMadeAgain) {
    const auto opened = LogWriter::open(state_, base_ + "/logs", {});
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().sys_errno, ENOENT);
}

TEST_F(LogStore, APlaceThatCannotBeReadBeginsANewFile) {
    const std::string zero(20, '0'), digits = zero + " " + zero + " " + zero;
    for (const std::string& rubbish :
         {std::string("rubbish"), digits, digits + " -" + zero.substr(1) + "\n"}) {
        {
            LogWriter log = writer();
            write("one\n");
            take_all(log);
        }
        const std::size_t before = numbers().size();
        const std::string said = all();
        const sys::Fd place = *sys::open_path(base_ + "/log.at", O_WRONLY | O_TRUNC);
        ASSERT_TRUE(sys::write_all(place, rubbish).has_value());
        LogWriter next = writer();
        EXPECT_NE(next.warning().find("log.at"), std::string::npos) << rubbish;
        write("two\n");
        take_all(next);
        EXPECT_EQ(all(), said + "two\n");
        EXPECT_EQ(numbers().size(), before + 1);
    }
}

}  // namespace
}  // namespace knarr::engine
