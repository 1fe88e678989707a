#include "bundle/defaults.h"

#include <gtest/gtest.h>

namespace knarr::bundle {
namespace {

using Sysctls = std::map<std::string, std::string>;

spec::RuntimeConfig with_network(std::string path, std::vector<spec::IdMapping> gids = {}) {
    spec::RuntimeConfig config;
    config.linux_.emplace();
    config.linux_->namespaces = {{.type = spec::NamespaceType::network, .path = std::move(path)}};
    config.linux_->gid_mappings = std::move(gids);
    return config;
}

TEST(DefaultSysctls, AreForNetworksOfTheContainersOwn) {
    EXPECT_EQ(default_sysctls({}, Gids::all), Sysctls());
    EXPECT_EQ(default_sysctls(with_network("/run/netns/its"), Gids::all), Sysctls());
    EXPECT_EQ(default_sysctls(with_network(""), Gids::all),
              Sysctls({{"net.ipv4.ip_unprivileged_port_start", "0"},
                       {"net.ipv4.ping_group_range", "0 2147483647"}}));
}

TEST(DefaultSysctls, LetThoseGroupsPingThatTheKernelTakes) {
    const auto range = [](std::vector<spec::IdMapping> gids, Gids own) {
        const Sysctls out = default_sysctls(with_network("", std::move(gids)), own);
        const auto found = out.find("net.ipv4.ping_group_range");
        return found == out.end() ? "none" : found->second;
    };
    EXPECT_EQ(range({}, Gids::unknown), "none");
    EXPECT_EQ(range({{.container_id = 0, .host_id = 1000, .size = 1}}, Gids::unknown), "0 0");
    EXPECT_EQ(range({{.container_id = 1, .host_id = 100'000, .size = 65'536},
                     {.container_id = 0, .host_id = 1000, .size = 1}},
                    Gids::all),
              "0 65536");
    EXPECT_EQ(range({{.container_id = 0, .host_id = 1000, .size = 1},
                     {.container_id = 5, .host_id = 100'000, .size = 10}},
                    Gids::unknown),
              "0 0");
    EXPECT_EQ(range({{.container_id = 1, .host_id = 1000, .size = 9}}, Gids::all), "none");
    EXPECT_EQ(range({{.container_id = 0, .host_id = 0, .size = 4'294'967'295}}, Gids::unknown),
              "0 2147483647");
}

}  // namespace
}  // namespace knarr::bundle
