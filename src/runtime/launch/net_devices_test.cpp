#include "runtime/launch/net_devices.h"

#include <gtest/gtest.h>

namespace knarr::runtime {

namespace {

using Links = std::vector<sys::Link>;

TEST(ArrivedLink, IsTheOneThatWasNotThere) {
    const Links before = {{.index = 1, .name = "lo"}, {.index = 4, .name = "eth0"}};
    Links after = before;
    EXPECT_EQ(arrived_link(before, after, "eth1"), nullptr);
    after.push_back({.index = 9, .name = "eth1"});
    ASSERT_NE(arrived_link(before, after, "eth1"), nullptr);
    EXPECT_EQ(arrived_link(before, after, "eth1")->index, 9);
}

TEST(ArrivedLink, IsKnownByItsNameAmongStrangersThatCameMeanwhile) {
    const Links after = {
        {.index = 7, .name = "veth3"}, {.index = 8, .name = "net0"}, {.index = 9, .name = "eth2"}};
    EXPECT_EQ(arrived_link({}, after, "eth%d")->index, 9) << "a template";
    EXPECT_EQ(arrived_link({}, after, "net0")->index, 8);
    EXPECT_EQ(arrived_link({}, after, "other")->index, 7) << "the first, where none fits";
}

}  // namespace

}  // namespace knarr::runtime
