#include "bundle/passwd.h"

#include <gtest/gtest.h>

namespace knarr::bundle {
namespace {

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "# a comment\n"
    "broken line\n"
    "evil:x:4294967296:0::/evil:/bin/sh\n"
    "max:x:4294967295:0::/max:/bin/sh\n"
    "negative:x:-1:0::/n:/bin/sh\n"
    "web:x:1000:1001:Web:/srv/web:/bin/sh\n"
    "relative:x:1002:1002::home:/bin/sh\n"
    "nologin:x:1003:1003:::\n";
constexpr std::string_view kGroup =
    "root:x:0:\n"
    "web:x:1001:web\n"
    "audio:x:29:web,other\n"
    "video:x:44:other,web\n"
    "big:x:99999999999:web\n"
    "100:x:7:\n";

ResolvedUser resolved(std::string_view user) {
    auto result = resolve_user(user, kPasswd, kGroup);
    EXPECT_TRUE(result) << result.error().message;
    return result.value_or(ResolvedUser{});
}

TEST(ResolveUser, EmptyIsRootWithItsHome) {
    const auto user = resolved("");
    EXPECT_EQ(user.uid, 0u);
    EXPECT_EQ(user.gid, 0u);
    EXPECT_EQ(user.home, "/root");
}

TEST(ResolveUser, RootOfAnImageWithoutPasswdNeedsNoEntry) {
    for (const auto* text : {"", "root", "0"}) {
        const auto user = resolve_user(text, "", "");
        ASSERT_TRUE(user) << text;
        EXPECT_EQ(user->uid, 0u);
        EXPECT_EQ(user->home, "/");
    }
}

TEST(ResolveUser, NameTakesUidGidHomeAndSupplementaryGroups) {
    const auto user = resolved("web");
    EXPECT_EQ(user.uid, 1000u);
    EXPECT_EQ(user.gid, 1001u);
    EXPECT_EQ(user.home, "/srv/web");
    EXPECT_EQ(user.groups, (std::vector<std::uint32_t>{29, 44}));
}

TEST(ResolveUser, NumberOfAnEntryIsTheSameAsItsName) {
    EXPECT_EQ(resolved("1000").gid, 1001u);
    EXPECT_EQ(resolved("1000").groups, (std::vector<std::uint32_t>{29, 44}));
}

TEST(ResolveUser, NumberWithoutEntryHasGroupRootAndHomeSlash) {
    const auto user = resolved("4242");
    EXPECT_EQ(user.uid, 4242u);
    EXPECT_EQ(user.gid, 0u);
    EXPECT_EQ(user.home, "/");
    EXPECT_TRUE(user.groups.empty());
}

TEST(ResolveUser, ExplicitGroupReplacesTheGroupsOfTheUser) {
    const auto user = resolved("web:audio");
    EXPECT_EQ(user.gid, 29u);
    EXPECT_TRUE(user.groups.empty());
    EXPECT_EQ(resolved("web:55").gid, 55u);
    EXPECT_EQ(resolved("7:8").gid, 8u);
    EXPECT_EQ(resolved(":audio").gid, 29u);
}

TEST(ResolveUser, ANumberIsNeverTheNameOfAnEntryOfTheImage) {
    const auto user = resolve_user("1000", "1000:x:0:0::/root:/bin/sh\n", "audio:x:29:1000\n");
    ASSERT_TRUE(user) << user.error().message;
    EXPECT_EQ(user->uid, 1000u);
    EXPECT_EQ(user->gid, 0u);
    EXPECT_TRUE(user->groups.empty());
    EXPECT_EQ(resolved("web:100").gid, 100u);
}

TEST(ResolveUser, ThePrimaryGroupIsAmongTheSupplementaryOnes) {
    using Groups = std::vector<std::uint32_t>;
    EXPECT_EQ(all_groups({.uid = 1000, .gid = 44, .groups = {}, .home = "/", .name = ""}),
              Groups{44});
    EXPECT_EQ(all_groups({.uid = 1, .gid = 7, .groups = {7, 9}, .home = "/", .name = "a"}),
              (Groups{7, 9}));
    EXPECT_EQ(all_groups({.uid = 0, .gid = 0, .groups = {}, .home = "/", .name = ""}), Groups{});
}

TEST(ResolveUser, NumbersThatDoNotFitAreRefusedNeverWrapped) {
    for (const auto* text :
         {"4294967295", "4294967296", "99999999999999999999", "0:4294967295", "0:4294967296"}) {
        const auto user = resolve_user(text, kPasswd, kGroup);
        ASSERT_FALSE(user) << text;
        EXPECT_EQ(user.error().code, Errc::invalid_argument);
    }
}

TEST(ResolveUser, EntriesWithImpossibleNumbersDoNotExist) {
    for (const auto* text : {"evil", "max", "negative", "web:big"}) {
        EXPECT_FALSE(resolve_user(text, kPasswd, kGroup)) << text;
    }
}

TEST(ResolveUser, MalformedTextIsRefused) {
    for (const auto* text : {"web:", "a:b:c", "-1", "nobody-here", "1x", "web:nobody"}) {
        EXPECT_FALSE(resolve_user(text, kPasswd, kGroup)) << text;
    }
}

TEST(ResolveUser, RelativeOrMissingHomeIsSlash) {
    EXPECT_EQ(resolved("relative").home, "/");
    EXPECT_EQ(resolved("nologin").home, "/");
}

TEST(ResolveUser, GroupsAreBounded) {
    std::string group;
    for (int i = 0; i < 5000; ++i) {
        group += "g" + std::to_string(i) + ":x:" + std::to_string(2000 + i) + ":web\n";
    }
    const auto user = resolve_user("web", kPasswd, group);
    ASSERT_TRUE(user);
    EXPECT_EQ(user->groups.size(), kMaxGroups);
}

}  // namespace
}  // namespace knarr::bundle
