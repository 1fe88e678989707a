#include "spec/image.h"

#include <gtest/gtest.h>

#include "core/limits.h"

namespace knarr::spec {
namespace {

constexpr std::string_view kHexA =
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr std::string_view kHexB =
    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

std::string descriptor(std::string_view type, std::string_view hex, std::string_view rest = "") {
    return fmt::format(R"({{"mediaType":"{}","digest":"sha256:{}","size":7{}}})", type, hex, rest);
}

std::string manifest_with(std::string_view head, std::string_view layers) {
    return fmt::format(R"({{"schemaVersion":2,{}"config":{},"layers":[{}]}})",
                       head,
                       descriptor(media::kOciConfig, kHexA),
                       layers);
}

std::string refusal(const std::string& json, std::string_view media_type = "") {
    const auto result = decode_manifest_or_index(json, media_type);
    return result ? "(accepted)" : result.error().message;
}

TEST(Digest, IsSha256WithSixtyFourLowerCaseDigits) {
    const std::string good = fmt::format("sha256:{}", kHexA);
    EXPECT_EQ(Digest::parse(good).value().text(), good);
    EXPECT_EQ(Digest::parse(good).value().hex(), kHexA);
    std::string upper = good;
    upper.back() = 'A';
    for (const std::string& bad : {std::string("sha256:../x"),
                                   upper,
                                   good + "0",
                                   good.substr(0, 70),
                                   std::string("sha256"),
                                   std::string(),
                                   fmt::format("sha512:{}{}", kHexA, kHexA)}) {
        const auto result = Digest::parse(bad);
        ASSERT_FALSE(result) << bad;
        EXPECT_EQ(result.error().code, Errc::invalid_image);
    }
}

TEST(Manifest, GivesConfigAndLayersLowestFirst) {
    const std::string json = manifest_with(
        R"("mediaType":"application/vnd.oci.image.manifest.v1+json",)",
        descriptor("application/vnd.oci.image.layer.v1.tar+gzip", kHexB) + "," +
            descriptor(
                "application/vnd.oci.image.layer.v1.tar", kHexA, R"(,"annotations":{"a":"b"})"));
    const auto decoded = decode_manifest_or_index(json, "");
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_TRUE(decoded->manifest);
    EXPECT_FALSE(decoded->index);
    EXPECT_EQ(decoded->manifest->config.digest.hex(), kHexA);
    EXPECT_EQ(decoded->manifest->config.size, 7u);
    ASSERT_EQ(decoded->manifest->layers.size(), 2u);
    EXPECT_EQ(decoded->manifest->layers[0].digest.hex(), kHexB);
    EXPECT_EQ(decoded->manifest->layers[1].annotations.at("a"), "b");
    const std::string encoded = encode_manifest(*decoded->manifest);
    EXPECT_EQ(encoded, encode_manifest(*decode_manifest_or_index(encoded, "").value().manifest));
}

TEST(Manifest, IsRefusedWithThePathOfWhatIsWrong) {
    const std::string layer = descriptor("x", kHexA);
    EXPECT_EQ(refusal(manifest_with("", layer + R"(,{"mediaType":"x","size":1})")),
              "manifest: layers[1].digest: is missing");
    EXPECT_EQ(refusal(R"({"schemaVersion":2,"layers":[]})"), "manifest: config: is missing");
    EXPECT_EQ(refusal(manifest_with(R"("schemaVersion":3,)", "")),
              "manifest: line 1, column 207: the member \"schemaVersion\" is given twice");
}

}  // namespace
}  // namespace knarr::spec
