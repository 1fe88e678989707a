#include "platform/socket.h"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

TEST(PacketPair, KeepsBoundariesAndOrder) {
    SocketPair pair = make_packet_pair(OurEnd::never_blocks).value();
    ASSERT_TRUE(send_packet(pair.theirs, "one"));
    ASSERT_TRUE(send_packet(pair.theirs, "two!"));
    EXPECT_EQ(receive_packet(pair.ours, 64).value()->bytes, "one");
    EXPECT_EQ(receive_packet(pair.ours, 64).value()->bytes, "two!");
    EXPECT_FALSE(receive_packet(pair.ours, 64).value().has_value()) << "nothing waits";
}

TEST(PacketPair, CarriesOneDescriptor) {
    SocketPair pair = make_packet_pair(OurEnd::never_blocks).value();
    Pipe pipe = make_pipe().value();
    ASSERT_TRUE(send_packet(pair.theirs, "take it", &pipe.write));
    std::optional<Packet> packet = receive_packet(pair.ours, 64).value();
    ASSERT_TRUE(packet && packet->fd.valid());
    pipe.write.reset();
    ASSERT_TRUE(write_all(packet->fd, "through"));
    packet->fd.reset();
    EXPECT_EQ(read_all(pipe.read, 64).value(), "through");
}

TEST(PacketPair, ReportsTheOtherSidesEndAsClosed) {
    SocketPair pair = make_packet_pair(OurEnd::never_blocks).value();
    pair.theirs.reset();
    EXPECT_TRUE(receive_packet(pair.ours, 64).value()->closed);
    EXPECT_EQ(send_packet(pair.ours, "x").error().sys_errno, EPIPE);
}

TEST(PacketPair, DeliversTheLastWordsOfASideThatClosedWithoutListening) {
    SocketPair pair = make_packet_pair(OurEnd::never_blocks).value();
    ASSERT_TRUE(send_packet(pair.ours, "never read"));
    ASSERT_TRUE(send_packet(pair.theirs, "last words"));
    pair.theirs.reset();
    EXPECT_EQ(receive_packet(pair.ours, 64).value()->bytes, "last words");
    EXPECT_TRUE(receive_packet(pair.ours, 64).value()->closed);
}

TEST(PacketPair, RefusesAPacketPastTheBound) {
    SocketPair pair = make_packet_pair(OurEnd::never_blocks).value();
    ASSERT_TRUE(send_packet(pair.theirs, std::string(64, 'x')));
    ASSERT_TRUE(send_packet(pair.theirs, std::string(65, 'x')));
    EXPECT_TRUE(receive_packet(pair.ours, 64));
    EXPECT_EQ(receive_packet(pair.ours, 64).error().code, Errc::io);
}

TEST(PacketPair, RefusesTwoDescriptorsAndLeaksNone) {
    SocketPair pair = make_packet_pair(OurEnd::never_blocks).value();
    Pipe pipe = make_pipe().value();
    char byte = 'x';
    iovec part{.iov_base = &byte, .iov_len = 1};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    const int both[2] = {pipe.write.get(), pipe.write.get()};
    std::memcpy(CMSG_DATA(header), both, sizeof(both));
    ASSERT_EQ(sendmsg(pair.theirs.get(), &message, 0), 1);
    pipe.write.reset();
    EXPECT_FALSE(receive_packet(pair.ours, 64));
    EXPECT_EQ(read_all(pipe.read, 1).value(), "") << "no copy of the write end may be left";
}

}  // namespace
}  // namespace knarr::sys
