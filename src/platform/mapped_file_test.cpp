#include "platform/mapped_file.h"

#include <algorithm>
#include <csignal>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

constexpr std::size_t kPages = 4;

class MappedFileTest : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_EQ(pwrite(file_.get(), text_.data(), text_.size(), 0),
                  static_cast<ssize_t>(text_.size()));
    }

    const std::size_t page_ = static_cast<std::size_t>(getpagesize());
    const std::string text_ = std::string(kPages * page_, 'x');
    const Fd file_{memfd_create("mapped", MFD_CLOEXEC)};
};

TEST_F(MappedFileTest, ShowsWhatIsWrittenToTheFile) {
    const MappedFile mapped = MappedFile::map(file_, text_.size()).value();
    ASSERT_EQ(pwrite(file_.get(), "abc", 3, 10), 3);
    const MappedFile::Reading reading(mapped, 9, 5);
    EXPECT_EQ(std::string(reading.bytes().begin(), reading.bytes().end()), "xabcx");
    EXPECT_FALSE(reading.was_cut());
}

TEST_F(MappedFileTest, WhatTheFileNoLongerHasIsZerosAndKnown) {
    const MappedFile mapped = MappedFile::map(file_, text_.size()).value();
    ASSERT_EQ(ftruncate(file_.get(), static_cast<off_t>(page_)), 0);
    {
        const MappedFile::Reading reading(mapped, 0, page_);
        EXPECT_EQ(reading.bytes().back(), 'x');
        EXPECT_FALSE(reading.was_cut());
    }
    {
        const MappedFile::Reading reading(mapped, 1, text_.size() - 1);
        EXPECT_EQ(std::ranges::count(reading.bytes(), 'x'), page_ - 1);
        EXPECT_EQ(std::ranges::count(reading.bytes(), '\0'), (kPages - 1) * page_);
        EXPECT_TRUE(reading.was_cut());
    }
    const MappedFile::Reading again(mapped, 0, 1);
    EXPECT_FALSE(again.was_cut());
}

TEST_F(MappedFileTest, ASignalThatIsNoReadingsKillsAsBefore) {
    const MappedFile mapped = MappedFile::map(file_, text_.size()).value();
    ASSERT_EQ(ftruncate(file_.get(), 0), 0);
    const char* outside = MappedFile::Reading(mapped, 0, 1).bytes().data();
    EXPECT_EXIT(static_cast<void>(*const_cast<const volatile char*>(outside)),
                ::testing::KilledBySignal(SIGBUS),
                "");
}

TEST_F(MappedFileTest, AHandlerOfSomebodyElseStays) {
    struct sigaction before{};
    ASSERT_EQ(sigaction(SIGBUS, nullptr, &before), 0);
    std::signal(SIGBUS, SIG_IGN);
    const auto mapped = MappedFile::map(file_, text_.size());
    ASSERT_FALSE(mapped.has_value());
    EXPECT_EQ(mapped.error().sys_errno, EBUSY);
    ASSERT_EQ(sigaction(SIGBUS, &before, nullptr), 0);
}

}  // namespace
}  // namespace knarr::sys
