#include "cli/volume.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

Errc refusal(std::string_view text) {
    const auto parsed = parse_volume(text);
    EXPECT_FALSE(parsed) << text;
    return parsed ? Errc::internal : parsed.error().code;
}

TEST(Volume, IsWritableAndRecursiveByDefault) {
    const auto parsed = parse_volume("/h:/c");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->volume.source, "/h");
    EXPECT_EQ(parsed->volume.target, "/c");
    EXPECT_FALSE(parsed->volume.read_only);
    EXPECT_TRUE(parsed->volume.recursive);
    EXPECT_TRUE(parsed->warnings.empty());
}

TEST(Volume, OptionsAreTakenOver) {
    const auto parsed = parse_volume("./h:/c:ro,bind,rslave,nosuid,noexec");
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->volume.read_only);
    EXPECT_FALSE(parsed->volume.recursive);
    EXPECT_EQ(parsed->volume.propagation, "rslave");
    EXPECT_EQ(parsed->volume.flags, (std::vector<std::string>{"nosuid", "noexec"}));
}

TEST(Volume, SelinuxLabelsAreWarnedAbout) {
    const auto parsed = parse_volume("/h:/c:z");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->warnings.size(), 1u);
}

TEST(Volume, NamedAndAnonymousOnesAreNotBuilt) {
    EXPECT_EQ(refusal("/data"), Errc::unsupported);
    EXPECT_EQ(refusal("name:/data"), Errc::unsupported);
}

TEST(Volume, MalformedOnesAreRefused) {
    EXPECT_EQ(refusal("/h:c"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:"), Errc::invalid_argument);
    EXPECT_EQ(refusal(":/c"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:/c:ro:x"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:/c:readonly"), Errc::invalid_argument);
    EXPECT_EQ(refusal("/h:/c:"), Errc::invalid_argument);
}

}  // namespace
}  // namespace knarr::cli
