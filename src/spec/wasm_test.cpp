#include "spec/wasm.h"

#include <gtest/gtest.h>

namespace knarr::spec {
namespace {

Manifest manifest_of(const std::vector<std::string>& types) {
    const Digest digest = Digest::of_sha256(std::string(64, 'a'));
    const auto described = [&](const std::string& type) {
        return Descriptor{.media_type = type,
                          .digest = digest,
                          .size = 1,
                          .platform = std::nullopt,
                          .annotations = {},
                          .artifact_type = {}};
    };
    Manifest manifest{.media_type = {},
                      .config = described(""),
                      .layers = {},
                      .annotations = {},
                      .artifact_type = {}};
    for (const std::string& type : types) {
        manifest.layers.push_back(described(type));
    }
    return manifest;
}

TEST(WasmImage, ConsistsOfModulesAlone) {
    const std::string tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    EXPECT_TRUE(is_wasm(manifest_of({"application/wasm"})));
    EXPECT_TRUE(
        is_wasm(manifest_of({"application/vnd.wasm.content.layer.v1+wasm",
                             "application/vnd.module.wasm.content.layer.v1+wasm",
                             "application/vnd.bytecodealliance.wasm.component.layer.v0+wasm"})));
    EXPECT_FALSE(is_wasm(manifest_of({"application/wasm", tar})));
    EXPECT_FALSE(is_wasm(manifest_of({tar})));
    EXPECT_FALSE(is_wasm(manifest_of({})));
}

TEST(WasmImage, IsToldByItsPlatformToo) {
    EXPECT_TRUE(is_wasm(Platform{.os = "wasip1", .architecture = "wasm"}));
    EXPECT_TRUE(is_wasm(Platform{.os = "wasi", .architecture = "wasm32"}));
    EXPECT_FALSE(is_wasm(Platform{.os = "linux", .architecture = "amd64"}));
}

TEST(WasmImage, HasAConfigOfEitherType) {
    const auto config = decode_wasm_config(
        R"({"architecture":"wasm","os":"wasip1","created":"2026-01-02T03:04:05Z",)"
        R"("layerDigests":[],"component":{"target":"x"}})");
    ASSERT_TRUE(config);
    EXPECT_EQ(config->platform.os, "wasip1");
    EXPECT_EQ(config->platform.architecture, "wasm");
    EXPECT_EQ(config->created, "2026-01-02T03:04:05Z");
    const auto container = decode_wasm_config(
        R"({"architecture":"wasm","os":"wasi","rootfs":{"type":"layers","diff_ids":["nonsense"]}})");
    ASSERT_TRUE(container);
    EXPECT_TRUE(container->diff_ids.empty());
    EXPECT_FALSE(decode_wasm_config("[]"));
    EXPECT_FALSE(decode_wasm_config("{"));
}

}  // namespace
}  // namespace knarr::spec
