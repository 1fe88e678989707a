#include "image/registries_conf.h"

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

std::vector<RegistryEntry> entries(std::string_view text) {
    return parse_registries(text, "r.conf").value();
}

Reference name(std::string_view text) {
    return Reference::parse(text).value();
}

std::string places(std::string_view conf, std::string_view reference, bool mirrors = true) {
    const auto all = entries(conf);
    const RegistryEntry* entry = find_registry(all, name(reference));
    if (entry == nullptr) {
        return "none";
    }
    std::string text;
    const auto rewritten = rewrite(*entry, name(reference), mirrors);
    if (!rewritten) {
        return rewritten.error().message;
    }
    for (const RewrittenPlace& place : *rewritten) {
        text += (text.empty() ? "" : " ") + place.registry + "/" + place.repository +
                (place.insecure ? "!" : "");
    }
    return text;
}

TEST(RegistriesConf, TheLongestPrefixCounts) {
    constexpr std::string_view kConf = R"(
[[registry]]
prefix = "r.io"
location = "a.io"
[[registry]]
prefix = "r.io/team"
location = "b.io/x"
[[registry]]
prefix = "*.sub.io"
location = "c.io"
)";
    EXPECT_EQ(places(kConf, "r.io/app"), "a.io/app");
    EXPECT_EQ(places(kConf, "r.io/team/app:1"), "b.io/x/app");
    EXPECT_EQ(places(kConf, "r.io/teams/app"), "a.io/teams/app") << "a part of a name is no prefix";
    EXPECT_EQ(places(kConf, "r.io:5000/app"), "none");
    EXPECT_EQ(places(kConf, "deep.er.sub.io/app"), "c.io/app");
    EXPECT_EQ(places(kConf, "sub.io/app"), "none");
    EXPECT_EQ(places(kConf, "busybox"), "none");
}

TEST(RegistriesConf, MirrorsComeFirstAndOnlyForPulls) {
    constexpr std::string_view kConf = R"(
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "m.io/hub"
insecure = true
[[registry.mirror]]
location = "d.io"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "t.io"
pull-from-mirror = "tag-only"
)";
    EXPECT_EQ(places(kConf, "busybox"),
              "m.io/hub/library/busybox! t.io/library/busybox "
              "registry-1.docker.io/library/busybox");
    const std::string digest = "busybox@sha256:" + std::string(64, 'a');
    EXPECT_EQ(places(kConf, digest),
              "m.io/hub/library/busybox! d.io/library/busybox "
              "registry-1.docker.io/library/busybox");
    EXPECT_EQ(places(kConf, "busybox", false), "registry-1.docker.io/library/busybox");
}

TEST(RegistriesConf, ALaterFileStandsInForTheSamePrefix) {
    auto all = entries("[[registry]]\nlocation = \"r.io\"\nblocked = true\n");
    merge_registries(all, entries("[[registry]]\nprefix = \"r.io\"\ninsecure = true\n"));
    ASSERT_EQ(all.size(), 1U);
    EXPECT_FALSE(all[0].blocked);
    EXPECT_TRUE(all[0].insecure);
}

TEST(RegistriesConf, BlockedOnesAndBadLocationsAreErrors) {
    EXPECT_NE(
        places("[[registry]]\nlocation = \"r.io\"\nblocked = true\n", "r.io/a").find("blocked"),
        std::string::npos);
    for (const char* location : {"https://x.io", "x.io:port", "X Y", "x.io/UPPER", "../x"}) {
        const std::string conf =
            std::string("[[registry]]\nprefix = \"r.io\"\nlocation = \"") + location + "\"\n";
        EXPECT_NE(places(conf, "r.io/a").find("no name of an image"), std::string::npos)
            << location;
    }
}

TEST(RegistriesConf, ErrorsNameTheFileAndTheLine) {
    EXPECT_EQ(parse_registries("[[registry]]\nlocation = 1\n", "r.conf").error().message,
              "r.conf: line 2: location is no text");
    EXPECT_FALSE(parse_registries("[[registry]]\ninsecure = \"yes\"\n", "r.conf"));
    EXPECT_FALSE(parse_registries("registry = 7\n", "r.conf"));
    EXPECT_TRUE(entries("unqualified-search-registries = [\"docker.io\"]\n[aliases]\n").empty());
}

}  // namespace
}  // namespace knarr::image
