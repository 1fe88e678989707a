#include "bundle/host_name.h"

#include <string>

#include <gtest/gtest.h>

namespace knarr::bundle {
namespace {

TEST(HostName, TakesWhatHostsAreCalled) {
    for (const char* good :
         {"a", "web-1", "my_box", "WEB", "7", "a.b.example.com", "xn--bcher-kva"}) {
        EXPECT_TRUE(check_host_name(good, kMaxOwnNameBytes, "host name")) << good;
    }
    EXPECT_TRUE(check_host_name(std::string(64, 'x'), kMaxOwnNameBytes, "host name"));
    EXPECT_TRUE(check_host_name(std::string(253, 'x'), kMaxDnsNameBytes, "name"));
    EXPECT_FALSE(check_host_name(std::string(254, 'x'), kMaxDnsNameBytes, "name"));
}

TEST(HostName, RefusesWhatWouldBeAnotherWordLineOrPath) {
    const std::string nul("a\0b", 3);
    for (const std::string& bad : {std::string("h\n6.6.6.6 evil"),
                                   std::string("a b"),
                                   nul,
                                   std::string("a\tb"),
                                   std::string("\x1b[31m"),
                                   std::string("/"),
                                   std::string("a/b"),
                                   std::string("."),
                                   std::string(".."),
                                   std::string("a..b"),
                                   std::string(".a"),
                                   std::string("a."),
                                   std::string("-a"),
                                   std::string("a#b"),
                                   std::string("$(id)"),
                                   std::string("b\u00fccher"),
                                   std::string(),
                                   std::string(65, 'x')}) {
        const auto refused = check_host_name(bad, kMaxOwnNameBytes, "host name");
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().code, Errc::invalid_argument);
        EXPECT_TRUE(refused.error().message.starts_with("host name \"")) << refused.error().message;
        EXPECT_EQ(refused.error().message.find('\n'), std::string::npos);
    }
}

}  // namespace
}  // namespace knarr::bundle
