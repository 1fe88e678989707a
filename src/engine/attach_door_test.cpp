#include "engine/attach_door.h"

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/testing_directory.h"
#include "platform/unix_socket.h"

namespace knarr::engine {
namespace {

class AttachDoorTest : public testing::Test {
protected:
    void SetUp() override {
        dir_ = *sys::open_path(path_, O_RDONLY | O_DIRECTORY);
        ASSERT_TRUE(door_.open(dir_));
    }

    void serve(const sys::Fd* terminal = nullptr) {
        auto items = door_.wants();
        ASSERT_TRUE(sys::wait_ready(items, 0));
        door_.serve(items, terminal);
    }
    sys::Fd visit(const sys::Fd* terminal = nullptr) {
        sys::Fd socket = *sys::connect_at(dir_, kAttachSocket);
        serve(terminal);
        EXPECT_TRUE(sys::set_nonblocking(socket));
        return socket;
    }
    static std::string heard(const sys::Fd& socket) {
        const auto packet = sys::receive_packet(socket, kAttachPacketBytes);
        return !packet || !*packet ? "nothing" : (*packet)->closed ? "closed" : (*packet)->bytes;
    }

    sys::TestDirectory scratch_;
    std::string path_ = scratch_.path();
    sys::Fd dir_;
    AttachDoor door_;
};

TEST(AttachEnd, IsUnderstoodAsItIsSaid) {
    for (const EndWord& word :
         {EndWord{},
          EndWord{.code = 255},
          EndWord{.log = LogReader::Place{.number = 3, .at = 0}},
          EndWord{.code = 0, .log = LogReader::Place{.number = UINT64_MAX, .at = UINT64_MAX}}}) {
        const std::string packet = end_packet(word);
        EXPECT_LE(packet.size(), kAttachPacketBytes);
        const EndWord back = parse_end(packet);
        EXPECT_EQ(back.code, word.code);
        EXPECT_EQ(end_packet(back), packet);
    }
    for (const std::string_view rubbish : {"x256", "xy", "x -1 2", "x0 1", "x0 1 2 3"}) {
        EXPECT_FALSE(parse_end(rubbish).log) << rubbish;
    }
}

TEST_F(AttachDoorTest, GreetsWithTheTerminal) {
    const sys::Fd terminal = *sys::open_path("/dev/null", O_RDWR);
    const sys::Fd socket = visit(&terminal);
    const auto packet = sys::receive_packet(socket, kAttachPacketBytes);
    ASSERT_TRUE(packet && *packet);
    EXPECT_EQ((*packet)->bytes, "g");
    EXPECT_TRUE((*packet)->fd.valid());
}

TEST_F(AttachDoorTest, TellsTheEndOnceAndWaitsForItsReaders) {
    const sys::Fd socket = visit();
    EXPECT_EQ(heard(socket), "g");
    EXPECT_FALSE(door_.is_waited_for());
    door_.tell_end({.code = 7});
    door_.tell_end({.code = 8});
    EXPECT_EQ(heard(socket), "x7");
    EXPECT_EQ(heard(socket), "nothing");
    EXPECT_TRUE(door_.is_waited_for());
    ASSERT_TRUE(sys::send_packet(socket, std::string(1, kDone)));
    serve();
    EXPECT_FALSE(door_.is_waited_for());
    door_.close();
    EXPECT_EQ(heard(socket), "closed");
}

TEST_F(AttachDoorTest, AnEndThatNobodyKnowsHasNoCode) {
    const sys::Fd socket = visit();
    EXPECT_EQ(heard(socket), "g");
    door_.tell_end({});
    EXPECT_EQ(heard(socket), "x");
}

TEST_F(AttachDoorTest, WhoHasLeftIsNotWaitedFor) {
    {
        const sys::Fd socket = visit();
        door_.tell_end({.code = 0});
    }
    EXPECT_TRUE(door_.is_waited_for());
    serve();
    EXPECT_FALSE(door_.is_waited_for());
}

TEST_F(AttachDoorTest, WhoSaysWhatIsNotUnderstoodIsHungUpOn) {
    const sys::Fd socket = visit();
    EXPECT_EQ(heard(socket), "g");
    ASSERT_TRUE(sys::send_packet(socket, "rubbish that is longer than any packet"));
    serve();
    EXPECT_EQ(heard(socket), "closed");
}

TEST_F(AttachDoorTest, TakesATerminalBack) {
    const sys::Fd socket = visit();
    EXPECT_FALSE(door_.given_back().valid());
    const sys::Fd terminal = *sys::open_path("/dev/null", O_RDWR);
    ASSERT_TRUE(sys::send_packet(socket, std::string(1, kTerminal), &terminal));
    serve();
    EXPECT_TRUE(door_.given_back().valid());
    door_.forget_given_back();
    EXPECT_FALSE(door_.given_back().valid());
    EXPECT_EQ(heard(socket), "g");
    ASSERT_TRUE(sys::send_packet(socket, std::string(1, kTerminal)));
    serve();
    EXPECT_FALSE(door_.given_back().valid());
    EXPECT_EQ(heard(socket), "closed");
}

TEST_F(AttachDoorTest, OneTooManyIsToldSo) {
    std::vector<sys::Fd> sockets;
    sockets.reserve(AttachDoor::kMaxAttached);
    for (std::size_t i = 0; i < AttachDoor::kMaxAttached; ++i) {
        sockets.push_back(visit());
    }
    EXPECT_EQ(heard(sockets.back()), "g");
    EXPECT_EQ(heard(visit()), "f");
    sockets.pop_back();
    serve();
    EXPECT_EQ(heard(visit()), "g");
}

}  // namespace
}  // namespace knarr::engine
