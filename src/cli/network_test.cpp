#include "cli/network.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

std::string chosen(const std::vector<std::string_view>& texts) {
    const auto filter = NetworkFilter::parse(texts);
    EXPECT_TRUE(filter) << filter.error().message;
    std::string out;
    for (const Network& one : all_networks()) {
        out += filter && filter->fits(one) ? std::string(one.name) + " " : "";
    }
    return out;
}

TEST(NetworkFilter, ChoosesAsDockersDoes) {
    EXPECT_EQ(chosen({}), "host none ");
    EXPECT_EQ(chosen({"name=o"}), "host none ");
    EXPECT_EQ(chosen({"name=ost"}), "host ");
    EXPECT_EQ(chosen({"driver=null"}), "none ");
    EXPECT_EQ(chosen({"driver=bridge"}), "");
    EXPECT_EQ(chosen({"driver=null", "driver=host"}), "host none ");
    EXPECT_EQ(chosen({"driver=null", "name=host"}), "");
    EXPECT_EQ(chosen({"id=83d8"}), "host ");
    EXPECT_EQ(chosen({"scope=local"}), "host none ");
    EXPECT_EQ(chosen({"scope=swarm"}), "");
    EXPECT_EQ(chosen({"type=builtin"}), "host none ");
    EXPECT_EQ(chosen({"type=custom"}), "");
    EXPECT_EQ(chosen({"dangling=true"}), "") << "docker never removes these two";
    EXPECT_EQ(chosen({"dangling=false"}), "host none ");
    EXPECT_EQ(chosen({"label=x"}), "");
    for (const char* bad : {"host", "name=", "color=red", "type=x", "dangling=maybe", "=x"}) {
        EXPECT_FALSE(NetworkFilter::parse({bad})) << bad;
    }
}

TEST(Network, IsFoundByItsNameAndByTheBeginningOfItsId) {
    EXPECT_EQ(find_network("none")->driver, "null");
    EXPECT_EQ(find_network("83")->name, "host");
    EXPECT_EQ(find_network(find_network("none")->id)->name, "none");
    for (const char* none : {"", "8", "hos", "bridge"}) {
        const auto found = find_network(none);
        ASSERT_FALSE(found) << none;
        EXPECT_EQ(found.error().code, Errc::not_found);
    }
}

TEST(Network, HasDockersRow) {
    EXPECT_EQ(network_row(all_networks().back(), false),
              R"({"CreatedAt":"0001-01-01 00:00:00 +0000 UTC","Driver":"null",)"
              R"("ID":"bc51e9d44b15","IPv6":"false","Internal":"false","Labels":"",)"
              R"("Name":"none","Scope":"local"})");
}

}  // namespace
}  // namespace knarr::cli
