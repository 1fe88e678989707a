#include "rpc/dbus_wire.h"

#include <gtest/gtest.h>

namespace knarr::rpc::dbus {

namespace {

using std::string_literals::operator""s;

// What `busctl --address=unix:path=... call` of systemd 252 sends for Hello, byte for byte but for
// the order of the header fields, which is free.
const std::string kHello =
    "l\1\0\1\0\0\0\0\1\0\0\0\x6d\0\0\0"
    "\1\1o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0"
    "\2\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
    "\3\1s\0\5\0\0\0Hello\0\0\0"
    "\6\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"s;

// An error as a big-endian peer sends it, with a header field that we do not know.
const std::string kBigError =
    "B\3\1\1\0\0\0\4\0\0\0\2\0\0\0\x28"
    "\4\1s\0\0\0\0\3a.b\0\0\0\0\0"
    "\5\1u\0\0\0\0\x09"
    "\x20\1t\0\0\0\0\0"
    "\0\0\0\0\0\0\0\1"
    "\0\0\0\x11"s;

Message hello() {
    return {.type = MessageType::call,
            .serial = 1,
            .path = "/org/freedesktop/DBus",
            .interface = "org.freedesktop.DBus",
            .member = "Hello",
            .destination = "org.freedesktop.DBus"};
}

std::string body_of(const Value& value) {
    Encoder out;
    out.variant(value);
    return std::move(out).take();
}

}  // namespace

TEST(DbusWire, WritesACallAsTheSpecificationHasIt) {
    EXPECT_EQ(encode(hello()), kHello);
}

TEST(DbusWire, ReadsWhatItWrites) {
    Message message = hello();
    message.signature = "s";
    Encoder body;
    body.string("one");
    message.body = std::move(body).take();
    const auto read = decode(encode(message));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->member, "Hello");
    EXPECT_EQ(read->path, "/org/freedesktop/DBus");
    EXPECT_EQ(read->destination, "org.freedesktop.DBus");
    EXPECT_EQ(read->signature, "s");
    EXPECT_EQ(Decoder(*read).string().value(), "one");
}

TEST(DbusWire, WritesEachKindOfPropertyAsAVariant) {
    EXPECT_EQ(body_of(true), "\1b\0\0\1\0\0\0"s);
    EXPECT_EQ(body_of(std::uint32_t{7}), "\1u\0\0\7\0\0\0"s);
    EXPECT_EQ(body_of(std::int32_t{-1}), "\1i\0\0\xff\xff\xff\xff"s);
    EXPECT_EQ(body_of(std::uint64_t{1} << 32U), "\1t\0\0\0\0\0\0\0\0\0\0\1\0\0\0"s);
    EXPECT_EQ(body_of("ab"s), "\1s\0\0\2\0\0\0ab\0"s);
    EXPECT_EQ(body_of(std::vector<std::string>{"a"}), "\2as\0\6\0\0\0\1\0\0\0a\0"s);
    EXPECT_EQ(body_of(std::vector<std::uint32_t>{5}), "\2au\0\4\0\0\0\5\0\0\0"s);
    EXPECT_EQ(body_of(Bytes{3, 1}), "\2ay\0\2\0\0\0\3\1"s);
    // The elements of an array of structures stand at multiples of 8, which its length leaves out.
    EXPECT_EQ(body_of(Pairs{}), "\5a(ss)\0\0\0\0\0\0\0\0\0\0"s);
    EXPECT_EQ(body_of(Pairs{{"a", "b"}}),
              "\5a(ss)\0\0\x0e\0\0\0\0\0\0\0\1\0\0\0a\0\0\0\1\0\0\0b\0"s);
}

TEST(DbusWire, ReadsTheOtherByteOrderAndIgnoresUnknownFields) {
    const auto read = decode(kBigError);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->type, MessageType::error);
    EXPECT_EQ(read->error_name, "a.b");
    EXPECT_EQ(read->reply_serial, 9U);
    EXPECT_EQ(read->serial, 2U);
    EXPECT_EQ(Decoder(*read).u32().value(), 17U);
}

TEST(DbusWire, EveryCutOfAMessageIsAnErrorAndNotACrash) {
    Message message = hello();
    message.signature = "o";
    Encoder body;
    body.string("/org/freedesktop/systemd1/job/12");
    message.body = std::move(body).take();
    const std::string whole = encode(message);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        EXPECT_FALSE(decode(whole.substr(0, size))) << size;
    }
    for (std::size_t size = 0; size < message.body.size(); ++size) {
        EXPECT_FALSE(Decoder(std::string_view(message.body).substr(0, size), false).string());
    }
}

TEST(DbusWire, RefusesLengthsThatDoNotFit) {
    std::string huge = kHello;
    huge[7] = '\x7f';
    const auto too_long = message_size(huge);
    ASSERT_FALSE(too_long);
    EXPECT_EQ(too_long.error().code, Errc::limit_exceeded);
    std::string fields = kHello;
    fields[12] = '\xff';  // runs past the message
    EXPECT_FALSE(decode(fields));
    std::string text = kHello;
    text[20] = '\xff';  // the path's length
    EXPECT_FALSE(decode(text));
    EXPECT_FALSE(Decoder("\xff\xff\xff\xff"
                         "abc",
                         false)
                     .string());
}

TEST(DbusWire, RefusesWhatIsNoMessageOfThisVersion) {
    std::string order = kHello;
    order[0] = 'x';
    EXPECT_FALSE(message_size(order));
    std::string version = kHello;
    version[3] = 2;
    EXPECT_FALSE(message_size(version));
    EXPECT_FALSE(message_size("HTTP/1.1 400 Bad"));
}

TEST(DbusWire, RefusesAHeaderFieldOfTheWrongType) {
    std::string wrong = kHello;
    wrong[18] = 's';  // the path, which is an "o"
    EXPECT_FALSE(decode(wrong));
    std::string container = kHello;
    container[18] = 'a';
    EXPECT_FALSE(decode(container));
}

TEST(DbusWire, RefusesAStringWithANulInside) {
    EXPECT_FALSE(Decoder("\3\0\0\0a\0b\0"s, false).string());
    EXPECT_FALSE(Decoder("\3\0\0\0abcd"s, false).string());
}

}  // namespace knarr::rpc::dbus
