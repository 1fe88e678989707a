#include "runtime/native/id_maps.h"

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::v1_host;

spec::Linux both(std::vector<spec::IdMapping> maps) {
    spec::Linux config;
    config.uid_mappings = maps;
    config.gid_mappings = std::move(maps);
    return config;
}

spec::IdMapping range(std::uint32_t inside, std::uint32_t outside, std::uint32_t size) {
    return {.container_id = inside, .host_id = outside, .size = size};
}

sys::HostFacts user_host() {
    sys::HostFacts host = v1_host();
    host.uid = host.gid = 1000;
    host.effective_caps = 0;
    return host;
}

std::string refusal(const spec::Linux& config, const sys::HostFacts& host) {
    const Result<IdMaps> maps = plan_id_maps(config, host);
    EXPECT_FALSE(maps);
    return maps ? "" : maps.error().message;
}

TEST(IdMaps, RootWritesEverythingItself) {
    const Result<IdMaps> maps = plan_id_maps(both({range(0, 100000, 65536)}), v1_host());
    ASSERT_TRUE(maps);
    EXPECT_FALSE(maps->deny_setgroups || maps->uids_by_helper || maps->gids_by_helper);
}

TEST(IdMaps, AUserMapsItsOwnIdItselfAndLosesSetgroups) {
    const Result<IdMaps> maps = plan_id_maps(both({range(0, 1000, 1)}), user_host());
    ASSERT_TRUE(maps);
    EXPECT_TRUE(maps->deny_setgroups);
    EXPECT_FALSE(maps->uids_by_helper || maps->gids_by_helper);
}

TEST(IdMaps, MoreThanOnesOwnIdTakesTheHelpersAndKeepsSetgroups) {
    const Result<IdMaps> maps =
        plan_id_maps(both({range(0, 1000, 1), range(1, 100000, 65536)}), user_host());
    ASSERT_TRUE(maps);
    EXPECT_TRUE(maps->uids_by_helper && maps->gids_by_helper);
    EXPECT_FALSE(maps->deny_setgroups);
}

TEST(IdMaps, SomebodyElsesIdTakesTheHelpers) {
    const Result<IdMaps> maps = plan_id_maps(both({range(0, 1001, 1)}), user_host());
    ASSERT_TRUE(maps);
    EXPECT_TRUE(maps->uids_by_helper && maps->gids_by_helper);
}

TEST(IdMaps, TheHighestIdIsNoId) {
    EXPECT_TRUE(plan_id_maps(both({range(0, 4294967294, 1)}), v1_host()));
    EXPECT_NE(refusal(both({range(0, 4294967295, 1)}), v1_host()).find("leaves the range"),
              std::string::npos);
    EXPECT_NE(refusal(both({range(0, 1, 4294967295)}), v1_host()).find("leaves the range"),
              std::string::npos);
}

TEST(IdMaps, TheKernelsBoundsOnLinesAndBytesAreOurs) {
    std::vector<spec::IdMapping> lines;
    for (std::uint32_t i = 0; i < 340; ++i) {
        lines.push_back(range(i, 2 * i, 1));
    }
    EXPECT_TRUE(plan_id_maps(both(lines), v1_host()));
    lines.push_back(range(340, 680, 1));
    EXPECT_NE(refusal(both(lines), v1_host()).find("341 ranges"), std::string::npos);
    for (spec::IdMapping& one : lines) {
        one.container_id += 1'000'000'000;
        one.host_id += 1'000'000'000;
    }
    lines.resize(300);
    EXPECT_NE(refusal(both(lines), v1_host()).find("at most 4095"), std::string::npos);
}

TEST(IdMaps, InAUserNamespaceOnlyItsOwnIdsCanBeHandedOn) {
    sys::HostFacts host = v1_host();
    host.initial_user_namespace = false;
    host.uid_map = host.gid_map = {{.inside = 0, .outside = 1000, .size = 1},
                                   {.inside = 1, .outside = 100000, .size = 65536}};
    EXPECT_TRUE(plan_id_maps(both({range(0, 1, 65536)}), host));
    EXPECT_EQ(refusal(both({range(0, 100000, 65536)}), host),
              "linux.uidMappings[0]: host IDs 100000 to 165535 do not exist in the user namespace "
              "that knarr runs in, which has 0, 1-65536");
}

TEST(IdMaps, TheProgramsIdsMustBeMapped) {
    const IdMaps maps{.uids = {range(0, 1000, 1)}, .gids = {range(0, 1000, 1), range(5, 9, 1)}};
    spec::User user;
    user.additional_gids = {5};
    EXPECT_TRUE(check_user_is_mapped(user, &maps, v1_host()));
    EXPECT_TRUE(check_user_is_mapped({.uid = 77}, nullptr, v1_host()));
    user.additional_gids = {6};
    const Result<> refused = check_user_is_mapped(user, &maps, v1_host());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "process.user.additionalGids: 6 does not exist in the container's user namespace, "
              "which has 0, 5");
}

}  // namespace
}  // namespace knarr::runtime::native
