#include "platform/rest.h"

#include <gtest/gtest.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/stream.h"

namespace knarr::sys {
namespace {

/// Pages of this process that are a file's: proc(5), statm.
std::uint64_t file_pages() {
    const std::string text = read_file("/proc/self/statm", 4096).value();
    return parse_number(split(text, ' ')[2]).value();
}

TEST(Rest, TheProgramGoesOnWithoutThePagesItGaveUp) {
    const std::uint64_t before = file_pages();
    release_program_pages();
    EXPECT_LT(file_pages(), before);
}

TEST(Rest, ReleasesWhereNothingComes) {
    int releases = 0;
    ASSERT_TRUE(wait_at_rest({}, 0, [&] { ++releases; }));
    EXPECT_EQ(releases, 0) << "a short wait is no rest";
    ASSERT_TRUE(wait_at_rest({}, 1001, [&] { ++releases; }));
    EXPECT_EQ(releases, 1);
}

TEST(Rest, WhatComesAtOnceFindsEverythingInPlace) {
    const SocketPair pair = make_packet_pair(OurEnd::never_blocks).value();
    ASSERT_TRUE(send_packet(pair.theirs, "hello", nullptr));
    Ready item{.fd = pair.ours.get()};
    bool released = false;
    ASSERT_TRUE(wait_at_rest({&item, 1}, -1, [&] { released = true; }));
    EXPECT_TRUE(item.is_ready);
    EXPECT_FALSE(released);
}

}  // namespace
}  // namespace knarr::sys
