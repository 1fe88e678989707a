#include "core/loopback.h"

#include <gtest/gtest.h>

namespace knarr {
namespace {

TEST(Loopback, IsThisMachineByItsNamesAndAddresses) {
    for (const char* host : {"localhost", "127.0.0.1", "127.255.255.255", "::1", "[::1]"}) {
        EXPECT_TRUE(is_loopback(host)) << host;
    }
    for (const char* host : {"",
                             "localhost.example",
                             "127.0.0.256",
                             "127.0.1",
                             "127.0.0.1.example",
                             "128.0.0.1",
                             "[::2]",
                             "127..0.1"}) {
        EXPECT_FALSE(is_loopback(host)) << host;
    }
}

}  // namespace
}  // namespace knarr
