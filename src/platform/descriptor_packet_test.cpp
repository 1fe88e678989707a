#include "platform/descriptor_packet.h"

#include <fcntl.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/socket.h"

namespace knarr::sys {
namespace {

TEST(DescriptorPacket, CarriesEveryDescriptorInOrder) {
    const SocketPair pair = *make_packet_pair(OurEnd::blocks);
    std::vector<Fd> fds;
    fds.push_back(*open_path("/dev/null", O_RDONLY));
    fds.push_back(*open_path("/", O_PATH));
    ASSERT_TRUE(send_descriptors(pair.ours, "two", fds));
    const auto got = receive_descriptors(pair.theirs, 16);
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->bytes, "two");
    ASSERT_EQ((*got)->fds.size(), 2U);
    EXPECT_TRUE(S_ISCHR(stat_of((*got)->fds[0])->st_mode));
    EXPECT_TRUE(S_ISDIR(stat_of((*got)->fds[1])->st_mode));
    EXPECT_EQ(fcntl((*got)->fds[0].get(), F_GETFD), FD_CLOEXEC);
}

TEST(DescriptorPacket, NoneIsFineAndTheEndIsTold) {
    SocketPair pair = *make_packet_pair(OurEnd::blocks);
    ASSERT_TRUE(send_descriptors(pair.ours, "none", {}));
    pair.ours.reset();
    const auto got = receive_descriptors(pair.theirs, 16);
    ASSERT_TRUE(got && *got);
    EXPECT_TRUE((*got)->fds.empty());
    const auto end = receive_descriptors(pair.theirs, 16);
    ASSERT_TRUE(end);
    EXPECT_FALSE(*end);
}

TEST(DescriptorPacket, MoreThanFitAreRefusedBeforeSending) {
    const SocketPair pair = *make_packet_pair(OurEnd::blocks);
    std::vector<Fd> fds;
    for (std::size_t i = 0; i <= kMaxPacketFds; ++i) {
        fds.push_back(*open_path("/dev/null", O_RDONLY));
    }
    EXPECT_FALSE(send_descriptors(pair.ours, "many", fds));
    fds.pop_back();
    ASSERT_TRUE(send_descriptors(pair.ours, "all", fds));
    const auto got = receive_descriptors(pair.theirs, 16);
    ASSERT_TRUE(got && *got);
    EXPECT_EQ((*got)->fds.size(), kMaxPacketFds);
}

TEST(DescriptorPacket, ALongerPacketIsAnError) {
    const SocketPair pair = *make_packet_pair(OurEnd::blocks);
    ASSERT_TRUE(send_descriptors(pair.ours, "longer than four", {}));
    const auto got = receive_descriptors(pair.theirs, 4);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Errc::io);
}

}  // namespace
}  // namespace knarr::sys
