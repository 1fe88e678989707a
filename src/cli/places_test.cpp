#include "cli/places.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

Caller user() {
    return {.uid = 1000,
            .in_user_namespace = false,
            .outer_uid = 1000,
            .run_is_ours = false,
            .runtime_dir = "/run/user/1000",
            .data_home = "",
            .home = "/home/bob",
            .user = "bob"};
}

TEST(Places, TheHostsRootHasTheSystems) {
    Caller root;
    root.runtime_dir = "/run/user/0";
    const Places places = default_places({}, root);
    EXPECT_EQ(places.root, "/run/knarr");
    EXPECT_EQ(places.data_root, "/var/lib/knarr");
}

TEST(Places, AUserHasItsOwn) {
    const Places places = default_places({}, user());
    EXPECT_EQ(places.root, "/run/user/1000/knarr");
    EXPECT_EQ(places.data_root, "/home/bob/.local/share/knarr");
    Caller with_data = user();
    with_data.data_home = "/data";
    EXPECT_EQ(default_places({}, with_data).data_root, "/data/knarr");
}

TEST(Places, AUserWithoutASessionHasOneInTmp) {
    Caller bare = user();
    bare.runtime_dir = bare.home = "";
    EXPECT_EQ(default_places({}, bare).root, "/tmp/knarr-run-1000");
    EXPECT_EQ(default_places({}, bare).data_root, "/tmp/knarr-run-1000/data");
}

TEST(Places, TheRootOfAUserNamespaceSharesThoseOfItsUser) {
    Caller inside = user();
    inside.uid = 0;
    inside.in_user_namespace = true;
    EXPECT_EQ(default_places({}, inside).root, "/run/user/1000/knarr");
    inside.runtime_dir = "";
    EXPECT_EQ(default_places({}, inside).root, "/tmp/knarr-run-1000");
}

TEST(Places, TheRootOfASystemInAUserNamespaceHasTheSystems) {
    Caller inside = user();
    inside.uid = 0;
    inside.in_user_namespace = true;
    inside.run_is_ours = true;
    inside.user = "root";
    EXPECT_EQ(default_places({}, inside).root, "/run/knarr");
    inside.runtime_dir = "";
    inside.user = "";
    EXPECT_EQ(default_places({}, inside).root, "/run/knarr");
}

TEST(Places, TheOptionDecidesForEverybody) {
    EXPECT_EQ(default_places(false, user()).root, "/run/knarr");
    EXPECT_EQ(default_places(true, Caller{}).root, "/tmp/knarr-run-0");
}

}  // namespace
}  // namespace knarr::cli
