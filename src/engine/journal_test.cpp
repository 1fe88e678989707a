#include "engine/journal.h"

#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"
#include "platform/sealed_memory.h"
#include "platform/socket.h"
#include "platform/stream.h"
#include "platform/unix_socket.h"

namespace knarr::engine {
namespace {

TEST(Journal, AFieldOfOneLineIsNameAndValue) {
    std::string entry;
    add_journal_field(entry, "MESSAGE", "one = two");
    add_journal_field(entry, "PRIORITY", "6");
    add_journal_field(entry, "EMPTY", "");
    EXPECT_EQ(entry, "MESSAGE=one = two\nPRIORITY=6\nEMPTY=\n");
}

TEST(Journal, AFieldWithLineBreaksHasItsLength) {
    std::string entry;
    add_journal_field(entry, "MESSAGE", "a\nb");
    EXPECT_EQ(entry, std::string("MESSAGE\n\3\0\0\0\0\0\0\0a\nb\n", 20));
    std::string large;
    add_journal_field(large, "M", std::string(0x1234, '\n'));
    EXPECT_EQ(large.substr(0, 10), std::string("M\n\x34\x12\0\0\0\0\0\0", 10));
}

TEST(Journal, ALongEntryGoesAsSealedMemory) {
    char base[] = "/tmp/knarr-journal-XXXXXX";
    ASSERT_NE(mkdtemp(base), nullptr);
    const std::string path = std::string(base) + "/socket";
    {
        const sys::Fd dir = *sys::open_path(base, O_RDONLY | O_DIRECTORY);
        const sys::Fd server = *sys::bind_datagram_at(dir, "socket");
        const auto journal = Journal::open(path);
        ASSERT_TRUE(journal) << journal.error().message;
        const std::string entry(4 << 20, 'x');
        ASSERT_TRUE(journal->send("SHORT=1\n"));
        ASSERT_TRUE(journal->send(entry));
        EXPECT_EQ((*sys::receive_packet(server, 64))->bytes, "SHORT=1\n");

        iovec none{};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        msghdr message{};
        message.msg_iov = &none;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        ASSERT_EQ(recvmsg(server.get(), &message, 0), 0);
        ASSERT_NE(CMSG_FIRSTHDR(&message), nullptr);
        int number = -1;
        std::memcpy(&number, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof number);
        const sys::Fd memory(number);
        EXPECT_TRUE(sys::is_sealed(memory));
        EXPECT_EQ(*sys::read_part(memory, 0, entry.size() + 1), entry);
    }
    EXPECT_EQ(Journal::open(path).error().code, Errc::unsupported);
    unlink(path.c_str());
    rmdir(base);
}

}  // namespace
}  // namespace knarr::engine
