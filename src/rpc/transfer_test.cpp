#include "rpc/transfer.h"

#include <gtest/gtest.h>

namespace knarr::rpc {
namespace {

const Session kSession{.registry = "registry-1.docker.io",
                       .repository = "library/busybox",
                       .headers = "X-Key: one\nX-Key: two\n",
                       .username = "me",
                       .password = std::string("p\0w", 3),
                       .identity_token = "",
                       .plain_http = true,
                       .stall_seconds = 300,
                       .retries = 5};

TEST(Transfer, EveryRequestSurvivesTheWire) {
    const auto session = std::get<Session>(decode_request(encode(Request(kSession))).value());
    EXPECT_EQ(session.repository, "library/busybox");
    EXPECT_EQ(session.headers, kSession.headers);
    EXPECT_EQ(session.password.size(), 3U);
    EXPECT_TRUE(session.plain_http);
    EXPECT_EQ(session.stall_seconds, 300U);

    const auto trust = std::get<Trust>(
        decode_request(encode(Request(Trust{.kind = TrustKind::client_key, .pem = "PEM"})))
            .value());
    EXPECT_EQ(trust.pem, "PEM");
    EXPECT_EQ(trust.kind, TrustKind::client_key);

    const Fetch fetch{.id = 7,
                      .kind = FetchKind::blob,
                      .target = "sha256:ab",
                      .max_bytes = 1ULL << 40,
                      .size = 12};
    const auto back = std::get<Fetch>(decode_request(encode(Request(fetch))).value());
    EXPECT_EQ(back.kind, FetchKind::blob);
    EXPECT_EQ(back.max_bytes, 1ULL << 40);
    EXPECT_EQ(back.size, 12U);

    const Push push{.id = 8,
                    .kind = FetchKind::manifest,
                    .target = "latest",
                    .media_type = "a/b",
                    .size = 3,
                    .mount_from = "c/d"};
    const auto pushed = std::get<Push>(decode_request(encode(Request(push))).value());
    EXPECT_EQ(pushed.target, "latest");
    EXPECT_EQ(pushed.media_type, "a/b");
    EXPECT_EQ(pushed.mount_from, "c/d");
    const Remove remove{.id = 9, .target = "sha256:ab"};
    EXPECT_EQ(std::get<Remove>(decode_request(encode(Request(remove))).value()).target,
              "sha256:ab");
    EXPECT_TRUE(std::holds_alternative<Leave>(decode_request(encode(Request(Leave{}))).value()));
    EXPECT_FALSE(decode_request(encode(Request(Leave{})) + "x"));
}

TEST(Transfer, AnOffsetBehindTheEndIsRefused) {
    const Fetch fetch{.id = 7, .kind = FetchKind::blob, .size = 12, .offset = 13};
    EXPECT_FALSE(decode_request(encode(Request(fetch))));
}

TEST(Transfer, EveryEventSurvivesTheWire) {
    const Failed failed{
        .id = 3, .code = Errc::rate_limited, .message = "too many", .hint = "wait", .status = 429};
    const auto back = std::get<Failed>(decode_event(encode(Event(failed))).value());
    EXPECT_EQ(back.code, Errc::rate_limited);
    EXPECT_EQ(back.status, 429U);
    EXPECT_EQ(std::get<Done>(decode_event(encode(Event(Done{.id = 4, .bytes = 99}))).value()).bytes,
              99U);
    const Head head{.id = 1, .status = 200, .media_type = "a/b", .digest = "d", .length = 5};
    EXPECT_EQ(std::get<Head>(decode_event(encode(Event(head))).value()).media_type, "a/b");
    const Head pushed{.id = 1, .status = 201, .lists_referrer = true};
    EXPECT_TRUE(std::get<Head>(decode_event(encode(Event(pushed))).value()).lists_referrer);
    const Done mounted{.id = 4, .how = Outcome::mounted};
    EXPECT_EQ(std::get<Done>(decode_event(encode(Event(mounted))).value()).how, Outcome::mounted);
    EXPECT_EQ(std::get<Sent>(decode_event(encode(Event(Sent{5, 77}))).value()).bytes, 77U);
    EXPECT_EQ(std::get<Notice>(decode_event(encode(Event(Notice{1, "wait"}))).value()).text,
              "wait");
}

TEST(Transfer, EveryShortenedPacketIsRefused) {
    const std::string whole = encode(Request(kSession));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        EXPECT_FALSE(decode_request(std::string_view(whole).substr(0, length))) << length;
    }
    EXPECT_FALSE(decode_request(whole + "x")) << "trailing bytes";
    const std::string event = encode(Event(Failed{.id = 1, .message = "m", .hint = "h"}));
    for (std::size_t length = 0; length < event.size(); ++length) {
        EXPECT_FALSE(decode_event(std::string_view(event).substr(0, length))) << length;
    }
}

TEST(Transfer, OtherVersionsAndTypesAreRefusedByName) {
    std::string packet = encode(Event(Done{1, 1}));
    packet[0] = 9;
    EXPECT_NE(decode_event(packet).error().message.find("version 9"), std::string::npos);
    packet[0] = kTransferVersion;
    packet[1] = 99;
    EXPECT_FALSE(decode_event(packet));
    EXPECT_FALSE(decode_event(encode(Request(kSession)))) << "a request is no event";
}

TEST(Transfer, AHostileLengthDoesNotAllocate) {
    std::string packet = encode(Event(Notice{1, "abc"}));
    packet[6] = '\xff';  // the text's length: 4 GiB
    packet[7] = packet[8] = packet[9] = '\xff';
    EXPECT_FALSE(decode_event(packet));
}

TEST(Transfer, OnlyCodesOfAFetchAreBelieved) {
    std::string packet = encode(Event(Failed{.id = 1, .message = "m", .hint = ""}));
    packet[6] = static_cast<char>(Errc::exec_failed);
    EXPECT_FALSE(decode_event(packet));
    packet[6] = '\xee';
    EXPECT_FALSE(decode_event(packet));
    const auto odd = decode_event(encode(Event(Failed{.code = Errc::hook_failed}))).value();
    EXPECT_EQ(std::get<Failed>(odd).code, Errc::registry_failed);
}

TEST(Transfer, TextsFromTheNetworkCannotDriveTheTerminal) {
    const auto event = decode_event(encode(Event(Failed{.message = "a\x1b[2Jb", .hint = ""})));
    EXPECT_EQ(std::get<Failed>(event.value()).message, "a\\x1b[2Jb");
}

TEST(Transfer, ZeroStallTimeAndZeroIdAreRefused) {
    Session session = kSession;
    session.stall_seconds = 0;
    EXPECT_FALSE(decode_request(encode(Request(session))));
    EXPECT_FALSE(decode_request(encode(Request(Fetch{.id = 0, .target = "latest"}))));
}

}  // namespace
}  // namespace knarr::rpc
