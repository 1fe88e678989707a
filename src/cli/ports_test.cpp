#include "cli/ports.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

using Texts = std::vector<std::string>;

TEST(Ports, AreTcpUnlessTheySay) {
    EXPECT_EQ(parse_ports("80", "x").value(), Texts{"80/tcp"});
    EXPECT_EQ(parse_ports("53/udp", "x").value(), Texts{"53/udp"});
    EXPECT_EQ(parse_ports("8000-8002/sctp", "x").value(),
              (Texts{"8000/sctp", "8001/sctp", "8002/sctp"}));
}

TEST(Ports, OtherWordsAreRefused) {
    for (const std::string_view text :
         {"", "0", "65536", "80/icmp", "9-8", "80/", "a", "1-", "-1", "8080:80", "1-65535"}) {
        EXPECT_FALSE(parse_ports(text, "--expose")) << text;
    }
}

}  // namespace
}  // namespace knarr::cli
