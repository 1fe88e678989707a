#include "runtime/native/user_cgroup.h"

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::v1_host;
using testing_config::v2_host;

spec::Linux with_pids_limit(std::string path = {}) {
    spec::Linux config;
    config.cgroups_path = std::move(path);
    config.resources.emplace().pids_limit = 100;
    return config;
}

sys::HostFacts delegated_v2(bool own, bool parent) {
    sys::HostFacts host = v2_host();
    host.uid = 1000;
    host.cgroups.front().own_path = "/user.slice/user-1000.slice/app.slice/run.scope";
    host.cgroups.front().own_delegated = own;
    host.cgroups.front().parent_delegated = parent;
    return host;
}

TEST(UserCgroup, WithoutDelegationThereIsNoneAndNobodyIsTold) {
    std::vector<std::string> warnings;
    const auto view = delegated_host({}, v1_host(), warnings);
    ASSERT_TRUE(view);
    EXPECT_FALSE(*view);
    EXPECT_TRUE(warnings.empty());
}

TEST(UserCgroup, APlaceThatCannotBeHadIsAWarning) {
    std::vector<std::string> warnings;
    spec::Linux config;
    config.cgroups_path = "/libpod_parent/x";
    const auto view = delegated_host(config, v1_host(), warnings);
    ASSERT_TRUE(view);
    EXPECT_FALSE(*view);
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings.front().find("no cgroup is delegated"), std::string::npos);
}

TEST(UserCgroup, LimitsThatCannotBeSetAreAnError) {
    std::vector<std::string> warnings;
    const auto view = delegated_host(with_pids_limit(), v1_host(), warnings);
    ASSERT_FALSE(view);
    EXPECT_EQ(view.error().code, Errc::denied);
    EXPECT_NE(view.error().hint.find("Delegate=yes"), std::string::npos);
}

TEST(UserCgroup, OnV2TheContainerStandsBesideTheCallerWhereTheCgroupAboveIsDelegated) {
    std::vector<std::string> warnings;
    const auto view = delegated_host(with_pids_limit(), delegated_v2(true, true), warnings);
    ASSERT_TRUE(view && *view);
    EXPECT_EQ((*view)->cgroups.front().own_path, "/user.slice/user-1000.slice/app.slice");
}

TEST(UserCgroup, OnV2TheContainerStandsBelowTheCallerWhereOnlyItsOwnIsDelegated) {
    std::vector<std::string> warnings;
    const auto view = delegated_host({}, delegated_v2(true, false), warnings);
    ASSERT_TRUE(view && *view);
    EXPECT_EQ((*view)->cgroups.front().own_path, "/user.slice/user-1000.slice/app.slice/run.scope");
}

TEST(UserCgroup, AnAbsolutePathMustLieBelowWhatIsDelegated) {
    std::vector<std::string> warnings;
    const auto host = delegated_v2(true, true);
    const auto within =
        delegated_host(with_pids_limit("/user.slice/user-1000.slice/app.slice/c"), host, warnings);
    EXPECT_TRUE(within && *within);
    for (const char* path : {"/c", "/user.slice/user-1000.slice/app.slice/../../c"}) {
        const auto outside = delegated_host(with_pids_limit(path), host, warnings);
        ASSERT_FALSE(outside) << path;
        EXPECT_NE(outside.error().message.find("is not below the cgroup"), std::string::npos);
    }
}

TEST(UserCgroup, OnlyWhatACgroupAloneCanGiveAsksForOne) {
    spec::Resources resources;
    resources.devices = {{.allow = false}};
    resources.memory.emplace();
    resources.cpu.emplace();
    resources.pids_limit = 0;
    EXPECT_FALSE(asks_for_limits(resources));
    resources.cpu->shares = 2;
    EXPECT_TRUE(asks_for_limits(resources));
}

}  // namespace
}  // namespace knarr::runtime::native
