#include "cli/container_details.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

using Texts = std::vector<std::string>;

TEST(ContainerDetails, AreReadFromWhatInspectSays) {
    const auto all = read_details(
        R"({"SizeRw":1200,"SizeRootFs":4300000,"HostConfig":{"NetworkMode":"none"},"Config":)"
        R"({"ExposedPorts":{"53/udp":{},"80/tcp":{}}},"Mounts":[)"
        R"({"Type":"volume","Name":"data","Source":"/x/data","Destination":"/d"},)"
        R"({"Type":"bind","Source":"/srv","Destination":"/s"}]})");
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_EQ(all->sources, (Texts{"data", "/srv"}));
    EXPECT_EQ(all->targets, (Texts{"/d", "/s"}));
    EXPECT_EQ(all->volumes, 1U);
    EXPECT_EQ(all->exposed, (Texts{"53/udp", "80/tcp"}));
    EXPECT_EQ(all->network, "none");
    EXPECT_EQ(all->size_text(), "1.2kB (virtual 4.3MB)");
}

TEST(ContainerDetails, SizesAreLeftOutWhereNobodyAsked) {
    const auto none = read_details("{}");
    ASSERT_TRUE(none);
    EXPECT_EQ(none->size_text(), "");
    EXPECT_FALSE(read_details("x"));
}

}  // namespace
}  // namespace knarr::cli
