#include "image/platform.h"

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

std::string normal(std::string_view text) {
    return to_text(parse_platform(text).value());
}

spec::Descriptor entry(std::string_view platform, char digit) {
    spec::Descriptor descriptor{.media_type = std::string(spec::media::kOciManifest),
                                .digest = spec::Digest::of_sha256(std::string(64, digit)),
                                .platform = {},
                                .annotations = {},
                                .artifact_type = {}};
    if (!platform.empty()) {
        const auto slash = platform.find('/');
        spec::Platform value;
        value.os = platform.substr(0, slash);
        std::string_view rest = platform.substr(slash + 1);
        value.architecture = rest.substr(0, rest.find('/'));
        value.variant =
            rest.find('/') == std::string_view::npos ? "" : rest.substr(rest.find('/') + 1);
        descriptor.platform = value;
    }
    return descriptor;
}

/// Makes an index of these platforms, with digests 0, 1, 2..., and says which one is chosen.
std::string chosen(const std::vector<std::string>& platforms, std::string_view wanted) {
    spec::Index index;
    for (std::size_t i = 0; i < platforms.size(); ++i) {
        index.manifests.push_back(entry(platforms[i], static_cast<char>('0' + i)));
    }
    const auto result = choose_platform(index, parse_platform(wanted).value());
    return result ? std::string(result->digest.hex().substr(0, 1)) : result.error().message;
}

TEST(Platform, HasOneSpelling) {
    EXPECT_EQ(normal("linux/x86_64"), "linux/amd64");
    EXPECT_EQ(normal("amd64"), "linux/amd64");
    EXPECT_EQ(normal("Linux/AArch64/v8"), "linux/arm64");
    EXPECT_EQ(normal("linux/arm64/8"), "linux/arm64");
    EXPECT_EQ(normal("linux/armhf"), "linux/arm/v7");
    EXPECT_EQ(normal("linux/arm"), "linux/arm/v7");
    EXPECT_EQ(normal("linux/arm/6"), "linux/arm/v6");
    EXPECT_EQ(normal("linux/i686"), "linux/386");
    EXPECT_EQ(normal("wasip1/wasm"), "wasip1/wasm");
    EXPECT_EQ(to_text(host_platform("x86_64")), "linux/amd64");
    EXPECT_EQ(to_text(host_platform("armv7l")), "linux/arm/v7");
    EXPECT_EQ(to_text(host_platform("riscv64")), "linux/riscv64");
}

TEST(Platform, BadTextIsRefused) {
    for (const char* text : {"", "/", "linux/", "/amd64", "a/b/c/d", "linux/am d64", "linux//v7"}) {
        EXPECT_EQ(parse_platform(text).error().code, Errc::invalid_argument) << text;
    }
}

TEST(PlatformChoice, TakesTheRightArchitectureAndSystem) {
    EXPECT_EQ(chosen({"linux/arm64", "linux/amd64", "windows/amd64"}, "linux/amd64"), "1");
    EXPECT_EQ(chosen({"windows/amd64", "linux/s390x"}, "linux/amd64"),
              "no variant for linux/amd64; there is windows/amd64, linux/s390x");
}

TEST(PlatformChoice, FallsBackToOlderArmVariantsOnly) {
    EXPECT_EQ(chosen({"linux/arm/v5", "linux/arm/v7", "linux/arm/v6"}, "linux/arm/v7"), "1");
    EXPECT_EQ(chosen({"linux/arm/v5", "linux/arm/v7", "linux/arm/v6"}, "linux/arm/v6"), "2");
    EXPECT_EQ(chosen({"linux/arm/v7"}, "linux/arm/v6"),
              "no variant for linux/arm/v6; there is linux/arm/v7");
    EXPECT_EQ(chosen({"linux/arm64/v8"}, "linux/arm64"), "0");
}

TEST(PlatformChoice, TakesPlainAmd64UnlessANewerIsAskedFor) {
    EXPECT_EQ(chosen({"linux/amd64/v3", "linux/amd64"}, "linux/amd64"), "1");
    EXPECT_EQ(chosen({"linux/amd64/v3", "linux/amd64"}, "linux/amd64/v3"), "0");
    EXPECT_EQ(chosen({"linux/amd64"}, "linux/amd64/v3"), "0");
}

TEST(PlatformChoice, PassesOverAttestations) {
    EXPECT_EQ(chosen({"unknown/unknown", "linux/amd64"}, "linux/amd64"), "1");
    EXPECT_EQ(chosen({"unknown/unknown"}, "linux/amd64"),
              "no variant for linux/amd64; there is none");
}

TEST(PlatformChoice, TakesTheOnlyEntryWhenNoneIsMarked) {
    EXPECT_EQ(chosen({""}, "linux/amd64"), "0");
    EXPECT_NE(chosen({"", ""}, "linux/amd64"), "0");
    EXPECT_NE(chosen({"", "linux/arm64"}, "linux/amd64"), "0");
}

}  // namespace
}  // namespace knarr::image
