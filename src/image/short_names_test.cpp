#include "image/short_names.h"

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

ShortNames parsed(std::string_view text) {
    ShortNames names;
    EXPECT_TRUE(add_short_names(names, text, "registries.conf"));
    return names;
}

std::vector<std::string> texts(std::string_view name,
                               const ShortNames& names,
                               Wanted wanted = Wanted::fetched) {
    std::vector<std::string> all;
    const std::vector<Reference> meant = meanings(name, names, wanted).value();
    all.reserve(meant.size());
    for (const Reference& one : meant) {
        all.push_back(one.text());
    }
    return all;
}

using List = std::vector<std::string>;

TEST(ShortNames, WithoutAWordAboutThemTheyAreDockerHubs) {
    EXPECT_EQ(texts("busybox", {}), List{"docker.io/library/busybox:latest"});
    EXPECT_EQ(texts("me/app:1", {}), List{"docker.io/me/app:1"});
    EXPECT_EQ(texts("r.io/app", {}), List{"r.io/app:latest"});
}

TEST(ShortNames, AnAliasIsOneNameWithTheTagAndTheDigestOfTheShortOne) {
    const ShortNames names = parsed(R"(unqualified-search-registries = ["a.io", "b.io"]
[aliases]
"fedora" = "registry.fedoraproject.org/fedora"
"ubi8/ubi" = "registry.access.redhat.com/ubi8/ubi"
)");
    EXPECT_EQ(texts("fedora", names), List{"registry.fedoraproject.org/fedora:latest"});
    EXPECT_EQ(texts("fedora:40", names), List{"registry.fedoraproject.org/fedora:40"});
    const std::string digest = "@sha256:" + std::string(64, 'a');
    EXPECT_EQ(texts("ubi8/ubi:1" + digest, names),
              List{"registry.access.redhat.com/ubi8/ubi:1" + digest});
    EXPECT_EQ(texts("docker.io/fedora", names), List{"docker.io/library/fedora:latest"});
}

TEST(ShortNames, OneRegistryToSearchIsTheirs) {
    const ShortNames names = parsed("unqualified-search-registries = [\"quay.io\"]\n");
    EXPECT_EQ(texts("me/app", names), List{"quay.io/me/app:latest"});
    EXPECT_EQ(texts("localhost/app", names), List{"localhost/app:latest"});
    EXPECT_EQ(texts("app", parsed("unqualified-search-registries = [\"docker.io\"]\n")),
              List{"docker.io/library/app:latest"});
}

TEST(ShortNames, OfSeveralRegistriesNoneIsGuessedUnlessTheFileSaysSo) {
    const std::string list = "unqualified-search-registries = [\"a.io\", \"localhost:5000/b\"]\n";
    const auto refused = meanings("app", parsed(list), Wanted::fetched);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("a.io, localhost:5000/b"), std::string::npos);
    EXPECT_NE(refused.error().hint.find("a.io/app"), std::string::npos);
    for (const char* mode : {"permissive", "disabled"}) {
        EXPECT_EQ(texts("app:2", parsed(list + "short-name-mode = \"" + mode + "\"\n")),
                  (List{"a.io/app:2", "localhost:5000/b/app:2"}));
    }
}

TEST(ShortNames, WhatIsStoredMayAlsoHaveDockerHubsName) {
    const ShortNames names = parsed("unqualified-search-registries = [\"a.io\", \"b.io\"]\n");
    EXPECT_EQ(texts("app", names, Wanted::stored),
              (List{"a.io/app:latest", "b.io/app:latest", "docker.io/library/app:latest"}));
    EXPECT_EQ(texts("a.io/app", names, Wanted::stored), List{"a.io/app:latest"});
}

TEST(ShortNames, LaterFilesStandInForEarlierOnes) {
    ShortNames names = parsed(
        "unqualified-search-registries = [\"a.io\", \"b.io\"]\n"
        "[aliases]\nx = \"a.io/x\"\ny = \"a.io/y\"\n");
    ASSERT_TRUE(add_short_names(names,
                                "unqualified-search-registries = [\"c.io\"]\n"
                                "[aliases]\nx = \"\"\ny = \"c.io/yy\"\n",
                                "later"));
    EXPECT_EQ(texts("x", names), List{"c.io/x:latest"});
    EXPECT_EQ(texts("y", names), List{"c.io/yy:latest"});
}

TEST(ShortNames, WhatIsMalformedIsRefused) {
    for (const char* text : {"unqualified-search-registries = \"a.io\"\n",
                             "unqualified-search-registries = [7]\n",
                             "unqualified-search-registries = [\"\"]\n",
                             "unqualified-search-registries = [\"https://a.io\"]\n",
                             "unqualified-search-registries = [\"a\"]\n",
                             "short-name-mode = \"ask\"\n",
                             "short-name-mode = 1\n",
                             "aliases = 1\n",
                             "[aliases]\nx = \"y\"\n",
                             "[aliases]\nx = \"a.io/x:1\"\n",
                             "[aliases]\nx = \"a.io/X\"\n",
                             "[aliases]\nx = 1\n",
                             "[aliases]\n\"a.io/x\" = \"a.io/x\"\n",
                             "[aliases]\n\"x:1\" = \"a.io/x\"\n"}) {
        ShortNames names;
        const auto result = add_short_names(names, text, "f");
        ASSERT_FALSE(result) << text;
        EXPECT_TRUE(result.error().message.starts_with("f: line ")) << result.error().message;
    }
}

}  // namespace
}  // namespace knarr::image
