#include "image/hosts_toml.h"

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

TEST(HostsToml, HostsComeInTheirOrderAndTheServerLast) {
    const auto hosts = parse_hosts(R"(server = "https://registry-1.docker.io"
[host."https://z.io:5000"]
  capabilities = ["pull"]
  ca = ["a.pem", "/b.pem"]
  client = [["c.cert", "c.key"]]
[host."http://a.io/path"]
  skip_verify = true
[host."b.io/own/v2/"]
  override_path = true
)",
                                   "hosts.toml",
                                   "r.io")
                           .value();
    ASSERT_EQ(hosts.size(), 4U);
    EXPECT_EQ(hosts[0].registry, "z.io:5000");
    EXPECT_FALSE(hosts[0].can_resolve);
    EXPECT_EQ(hosts[0].authorities.at(1), "/b.pem");
    EXPECT_EQ(hosts[0].clients.at(0).second, "c.key");
    EXPECT_EQ(hosts[1].registry, "a.io");
    EXPECT_TRUE(hosts[1].plain_http);
    EXPECT_EQ(hosts[1].api, "/path/v2");
    EXPECT_EQ(hosts[2].api, "/own/v2");
    EXPECT_EQ(hosts[3].registry, "registry-1.docker.io");
}

TEST(HostsToml, WithoutAServerItIsTheRegistryItself) {
    const auto hosts = parse_hosts("skip_verify = true\n", "hosts.toml", "r.io").value();
    ASSERT_EQ(hosts.size(), 1U);
    EXPECT_EQ(hosts[0].registry, "r.io");
    EXPECT_TRUE(hosts[0].skip_verify);
}

TEST(HostsToml, HeadersAreOfTheirHost) {
    const auto hosts = parse_hosts(R"(server = "https://r.io"
[header]
  X-Key = "secret"
[host."https://a.io"]
[host."https://a.io".header]
  x-one = "1"
  x-two = ["2", "3"]
)",
                                   "hosts.toml",
                                   "r.io")
                           .value();
    EXPECT_EQ(hosts[0].headers, (std::vector<std::string>{"x-one: 1", "x-two: 2", "x-two: 3"}));
    EXPECT_EQ(hosts[1].headers, (std::vector<std::string>{"X-Key: secret"}));
}

TEST(HostsToml, WhatCannotBeDoneIsRefused) {
    EXPECT_EQ(
        parse_hosts("[host.\"https://a\".header]\nContent-Length = \"7\"\n", "h", "r").error().code,
        Errc::unsupported);
    const std::string large = "[header]\nx = \"" + std::string(5000, 'y') + "\"\n";
    EXPECT_EQ(parse_hosts(large, "h", "r").error().code, Errc::limit_exceeded);
    for (const char* text : {"server = 7\n",
                             "[host.\"ftp://a\"]\n",
                             "[host.\"https://\"]\n",
                             "[host.\"https://u@a\"]\n",
                             "[host.\"https://a/?x\"]\n",
                             "[host.\"https://a\"]\ncapabilities = 7\n",
                             "[host.\"https://a\"]\nclient = [[\"a\", \"b\", \"c\"]]\n",
                             "header = 7\n",
                             "[header]\nx = 7\n",
                             "[header]\nx = \"\"\n",
                             "[header]\nx = \"a\\r\\nb: c\"\n",
                             "[header]\n\"x: y\" = \"a\"\n",
                             "host = 1\n[host.x]\n",
                             "[host]\nx = 1\n"}) {
        EXPECT_FALSE(parse_hosts(text, "h", "r")) << text;
    }
}

}  // namespace
}  // namespace knarr::image
