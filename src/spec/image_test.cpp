#include "spec/image.h"

#include <gtest/gtest.h>

#include "core/limits.h"
#include "spec/testdata_for_tests.h"

namespace knarr::spec {
namespace {

const std::string kHexA(64, 'a');

std::string descriptor(std::string_view type, std::string_view rest = "") {
    return fmt::format(
        R"({{"mediaType":"{}","digest":"sha256:{}","size":7{}}})", type, kHexA, rest);
}

std::string manifest_with(std::string_view head, std::string_view layers) {
    return fmt::format(
        R"({{{}"config":{},"layers":[{}]}})", head, descriptor(media::kOciConfig), layers);
}

ManifestOrIndex decoded(std::string_view json, std::string_view media_type = "") {
    auto result = decode_manifest_or_index(json, media_type);
    if (!result) {
        ADD_FAILURE() << result.error().message;
        return {};
    }
    return *std::move(result);
}

std::string refusal(const std::string& json, std::string_view media_type = "") {
    const auto result = decode_manifest_or_index(json, media_type);
    if (!result) {
        EXPECT_EQ(result.error().code, Errc::invalid_image);
        return result.error().message;
    }
    return "(accepted)";
}

std::string config_refusal(const std::string& json) {
    const auto result = decode_image_config(json);
    return result ? "(accepted)" : result.error().message;
}

TEST(Digest, IsSha256WithSixtyFourLowerCaseDigits) {
    const std::string good = "sha256:" + kHexA;
    EXPECT_EQ(Digest::parse(good).value().text(), good);
    EXPECT_EQ(Digest::parse(good).value().hex(), kHexA);
    EXPECT_EQ(Digest::of_sha256(kHexA), Digest::parse(good).value());
    std::string upper = good;
    upper.back() = 'A';
    for (const std::string& bad : {std::string("sha256:../x"),
                                   upper,
                                   good + "0",
                                   good.substr(0, 70),
                                   std::string("sha256"),
                                   std::string(),
                                   "sha512:" + kHexA + kHexA}) {
        const auto result = Digest::parse(bad);
        ASSERT_FALSE(result) << bad;
        EXPECT_EQ(result.error().code, Errc::invalid_image);
    }
}

TEST(Manifest, OfDockerIsReadLikeOnesOfOci) {
    const Manifest docker = *decoded(testing::testdata("docker_manifest.json")).manifest;
    EXPECT_EQ(docker.media_type, media::kDockerManifest);
    EXPECT_EQ(docker.config.size, 7023u);
    ASSERT_EQ(docker.layers.size(), 2u);
    EXPECT_EQ(docker.layers[0].digest.hex(), std::string(64, 'b'));
    const Manifest oci = *decoded(testing::testdata("oci_manifest.json")).manifest;
    EXPECT_EQ(oci.media_type, media::kOciManifest);
    EXPECT_EQ(oci.artifact_type, "application/vnd.example");
    EXPECT_EQ(oci.layers[0].annotations.at("k"), "v");
    EXPECT_EQ(oci.annotations.at("com.example.key1"), "value1");
}

TEST(Index, OfDockerIsReadLikeOnesOfOci) {
    const Index docker = *decoded(testing::testdata("docker_list.json")).index;
    ASSERT_EQ(docker.manifests.size(), 3u);
    EXPECT_EQ(docker.manifests[1].platform->architecture, "arm64");
    EXPECT_EQ(docker.manifests[1].platform->variant, "v8");
    EXPECT_EQ(docker.manifests[2].platform->os_version, "10.0.1");
    EXPECT_EQ(docker.manifests[2].platform->os_features, std::vector<std::string>{"win32k"});
    const Index oci = *decoded(testing::testdata("oci_index.json")).index;
    EXPECT_EQ(oci.media_type, media::kOciIndex);
    EXPECT_FALSE(oci.manifests[1].platform);
    EXPECT_EQ(oci.manifests[1].artifact_type, "application/spdx+json");
}

TEST(Manifest, SurvivesARoundTrip) {
    for (const char* name : {"docker_manifest.json", "oci_manifest.json"}) {
        const std::string encoded = encode_manifest(*decoded(testing::testdata(name)).manifest);
        EXPECT_EQ(encode_manifest(*decoded(encoded).manifest), encoded);
        EXPECT_NE(encoded.find("\"schemaVersion\":2"), std::string::npos);
    }
    for (const char* name : {"docker_list.json", "oci_index.json"}) {
        const std::string encoded = encode_index(*decoded(testing::testdata(name)).index);
        EXPECT_EQ(encode_index(*decoded(encoded).index), encoded);
        EXPECT_NE(encoded.find("\"architecture\""), std::string::npos);
    }
}

TEST(Manifest, WithoutMediaTypeIsToldByTheRegistryOrItsMembers) {
    const std::string manifest = manifest_with("", descriptor("x"));
    EXPECT_EQ(decoded(manifest).manifest->media_type, media::kOciManifest);
    EXPECT_EQ(decoded(manifest, fmt::format("{}; charset=utf-8", media::kDockerManifest))
                  .manifest->media_type,
              media::kDockerManifest);
    EXPECT_EQ(decoded(manifest, "application/json").manifest->layers.size(), 1u);
    EXPECT_EQ(decoded(R"({"manifests":null,"schemaVersion":2})", media::kOciIndex)
                  .index->manifests.size(),
              0u);
    EXPECT_EQ(decoded(R"({"manifests":[]})").index->media_type, media::kOciIndex);
}

TEST(Manifest, ThatCouldBeReadInTwoWaysIsRefused) {
    const std::string both =
        R"({"manifests":[],"layers":[],"config":)" + descriptor(media::kOciConfig) + "}";
    EXPECT_EQ(refusal(both), "manifest: has the members of a manifest and of an index");
    const std::string manifest = manifest_with("", "");
    const std::string index = R"({"manifests":[]})";
    EXPECT_EQ(refusal(manifest, media::kOciIndex),
              "manifest: is said to be an index, but has the members of a manifest");
    EXPECT_EQ(refusal(index, media::kOciManifest),
              "manifest: is said to be a manifest, but has the members of an index");
    EXPECT_EQ(refusal(manifest_with(fmt::format(R"("mediaType":"{}",)", media::kOciIndex), "")),
              "manifest: is said to be an index, but has the members of a manifest");
    EXPECT_EQ(refusal(manifest_with(fmt::format(R"("mediaType":"{}",)", media::kOciManifest), ""),
                      media::kOciIndex),
              fmt::format("manifest: mediaType: \"{}\" contradicts the registry, which says {}",
                          media::kOciManifest,
                          media::kOciIndex));
}

TEST(Manifest, OfSchema1IsRefusedWithAHint) {
    for (const char* json : {R"({"schemaVersion":1,"name":"x","fsLayers":[]})",
                             R"({"fsLayers":[],"schemaVersion":2})"}) {
        const auto result = decode_manifest_or_index(json, "");
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().message,
                  "manifest: this is Docker's schema 1, which has no image config");
        EXPECT_NE(result.error().hint.find("skopeo copy"), std::string::npos);
    }
    EXPECT_FALSE(decode_manifest_or_index(
        "{}", "application/vnd.docker.distribution.manifest.v1+prettyjws"));
}

TEST(Manifest, IsRefusedWithThePathOfWhatIsWrong) {
    EXPECT_EQ(refusal(manifest_with("", descriptor("x") + R"(,{"mediaType":"x","size":1})")),
              "manifest: layers[1].digest: is missing");
    EXPECT_EQ(refusal(manifest_with("", R"({"mediaType":"x","digest":"sha256:../x","size":1})")),
              "manifest: layers[0].digest: \"sha256:../x\" is not a digest of the form "
              "sha256:<64 hex digits>");
    EXPECT_EQ(refusal(manifest_with("", descriptor("x", R"(,"annotations":{"a":1})"))),
              "manifest: layers[0].annotations.a: 1 is a number, not a string");
    std::string negative = manifest_with("", "");
    negative.replace(negative.find("\"size\":7"), 8, "\"size\":-7");
    EXPECT_EQ(refusal(negative), "manifest: config.size: -7 is negative");
    std::string huge = manifest_with("", "");
    huge.replace(huge.find("\"size\":7"), 8, "\"size\":9223372036854775808");
    EXPECT_EQ(refusal(huge),
              "manifest: config.size: 9223372036854775808 is not between -9223372036854775808 and "
              "9223372036854775807");
    EXPECT_EQ(refusal(R"({"layers":[]})"), "manifest: config: is missing");
    EXPECT_EQ(refusal(manifest_with(R"("schemaVersion":3,)", "")),
              "manifest: schemaVersion: 3 is not 2");
    EXPECT_EQ(refusal(manifest_with(R"("mediaType":"text/html",)", "")),
              "manifest: mediaType: \"text/html\" is neither a manifest nor an index");
    EXPECT_EQ(refusal(R"({"manifests":{}})"),
              "manifest: manifests: this is an object, not an array");
    EXPECT_EQ(refusal("[]"), "manifest: this is an array, not an object");
}

TEST(Manifest, MayHave128LayersAndNoMore) {
    const auto with_layers = [](std::size_t count) {
        std::string layers = descriptor("x");
        for (std::size_t i = 1; i < count; ++i) {
            layers += "," + descriptor("x");
        }
        return decode_manifest_or_index(manifest_with("", layers), "");
    };
    EXPECT_TRUE(with_layers(limits::kMaxLayers));
    const auto result = with_layers(limits::kMaxLayers + 1);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Errc::limit_exceeded);
}

TEST(Manifest, MayHaveOneMebibyteAndNoMore) {
    std::string json = manifest_with("", "");
    json.resize(limits::kMaxManifestBytes, ' ');
    EXPECT_TRUE(decode_manifest_or_index(json, ""));
    json += ' ';
    EXPECT_EQ(decode_manifest_or_index(json, "").error().code, Errc::limit_exceeded);
}

TEST(Manifest, TruncatedAtEveryByteIsRefused) {
    for (const char* name : {"docker_list.json", "oci_manifest.json", "image_config.json"}) {
        std::string whole = testing::testdata(name);
        ASSERT_TRUE(whole.ends_with("}\n"));
        whole.pop_back();  // without the line break it is still whole
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const std::vector<char> part(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(size));
            const std::string_view text(part.data(), part.size());
            EXPECT_FALSE(decode_manifest_or_index(text, "") || decode_image_config(text)) << size;
        }
    }
}

TEST(ImageConfig, GivesWhatToRunAndTheLayers) {
    const auto result = decode_image_config(testing::testdata("image_config.json"));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->platform.os, "linux");
    EXPECT_EQ(result->platform.architecture, "arm64");
    EXPECT_EQ(result->platform.variant, "v8");
    EXPECT_EQ(result->created, "2015-10-31T22:22:56.015925234Z");
    EXPECT_EQ(result->config.user, "alice");
    EXPECT_EQ(result->config.env, (std::vector<std::string>{"PATH=/usr/bin", "FOO=oci_is_a"}));
    EXPECT_EQ(result->config.entrypoint, std::vector<std::string>{"/bin/my-app-binary"});
    EXPECT_EQ(result->config.cmd, std::vector<std::string>{"--foreground"});
    EXPECT_EQ(result->config.exposed_ports, (std::vector<std::string>{"53/udp", "8080/tcp"}));
    EXPECT_EQ(result->config.volumes, (std::vector<std::string>{"/data", "/var/log/x"}));
    EXPECT_EQ(result->config.working_dir, "/home/alice");
    EXPECT_EQ(result->config.stop_signal, "SIGKILL");
    EXPECT_EQ(result->config.labels.at("com.example"), "1");
    ASSERT_EQ(result->diff_ids.size(), 2u);
    EXPECT_EQ(result->diff_ids[1].hex(), std::string(64, '7'));
    ASSERT_EQ(result->history.size(), 2u);
    EXPECT_TRUE(result->history[1].empty_layer);
}

TEST(ImageConfig, OldFormsAndNullsAreAccepted) {
    const auto result = decode_image_config(
        R"({"config":{"Cmd":"sh","Entrypoint":null,"Labels":null,"Volumes":null},
            "rootfs":{"type":"layers","diff_ids":null},"history":null})");
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->config.cmd, std::vector<std::string>{"sh"});
    EXPECT_TRUE(result->config.entrypoint.empty() && result->diff_ids.empty());
}

TEST(ImageConfig, IsRefusedWithThePathOfWhatIsWrong) {
    EXPECT_EQ(config_refusal("{}"),
              "image config: rootfs: is missing: this is not the config of an image");
    EXPECT_EQ(config_refusal(R"({"architecture":"wasm","os":"wasip1","layerDigests":[]})"),
              "image config: rootfs: is missing: this is not the config of an image");
    EXPECT_EQ(config_refusal(R"({"rootfs":{"type":"tar"}})"),
              "image config: rootfs.type: \"tar\" is not \"layers\"");
    EXPECT_EQ(config_refusal(R"({"rootfs":{"diff_ids":["sha256:0"]}})"),
              "image config: rootfs.diff_ids[0]: \"sha256:0\" is not a digest of the form "
              "sha256:<64 hex digits>");
    EXPECT_EQ(config_refusal(R"({"rootfs":{},"config":{"Env":"A=b"}})"),
              "image config: config.Env: \"A=b\" is a string, not an array");
    EXPECT_EQ(config_refusal(R"({"rootfs":{},"config":{"Cmd":[1]}})"),
              "image config: config.Cmd[0]: 1 is a number, not a string");
    EXPECT_EQ(config_refusal(R"({"rootfs":{},"config":{"Volumes":["/x"]}})"),
              "image config: config.Volumes: this is an array, not an object");
    EXPECT_EQ(config_refusal(R"({"rootfs":{},"config":"x"})"),
              "image config: config: \"x\" is a string, not an object");
    EXPECT_EQ(config_refusal(R"({"rootfs":{},"history":[{"empty_layer":1}]})"),
              "image config: history[0].empty_layer: 1 is a number, not true or false");
}

TEST(MediaTypes, OfLayersTellTheCompression) {
    const auto of = [](std::string_view type) { return layer_compression(type).value(); };
    EXPECT_EQ(of("application/vnd.oci.image.layer.v1.tar"), Compression::none);
    EXPECT_EQ(of("application/vnd.oci.image.layer.v1.tar+gzip"), Compression::gzip);
    EXPECT_EQ(of("application/vnd.oci.image.layer.v1.tar+zstd"), Compression::zstd);
    EXPECT_EQ(of("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"),
              Compression::zstd);
    EXPECT_EQ(of("application/vnd.docker.image.rootfs.diff.tar"), Compression::none);
    EXPECT_EQ(of("application/vnd.docker.image.rootfs.diff.tar.gzip"), Compression::gzip);
    EXPECT_EQ(of("application/vnd.docker.image.rootfs.diff.tar.zstd"), Compression::zstd);
    EXPECT_EQ(of("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), Compression::gzip);
    for (const char* other : {"",
                              "application/wasm",
                              "application/octet-stream",
                              "application/vnd.oci.image.layer.v1.tar+xz",
                              "application/vnd.oci.image.layer.v1.tar.gzip",
                              "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"}) {
        const auto result = layer_compression(other);
        ASSERT_FALSE(result) << other;
        EXPECT_EQ(result.error().code, Errc::unsupported);
    }
    EXPECT_TRUE(is_wasm_layer("application/wasm"));
    EXPECT_TRUE(is_wasm_layer("application/vnd.wasm.content.layer.v1+wasm"));
    EXPECT_FALSE(is_wasm_layer("application/vnd.oci.image.layer.v1.tar"));
    EXPECT_TRUE(is_image_config(media::kOciConfig) && is_image_config(media::kDockerConfig));
    EXPECT_FALSE(is_image_config("application/vnd.wasm.config.v0+json"));
}

}  // namespace
}  // namespace knarr::spec
