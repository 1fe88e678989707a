#include "image/layer_pull.h"

#include <gtest/gtest.h>

namespace knarr::image {
namespace {

constexpr Limits kLimits{.policy = "small", .max_layer_bytes = 100, .max_rootfs_bytes = 250};

spec::Descriptor module_of(std::uint64_t size, char digit) {
    return {.media_type = "application/wasm",
            .digest = spec::Digest::of_sha256(std::string(64, digit)),
            .size = size,
            .platform = {},
            .annotations = {},
            .artifact_type = {}};
}

std::string checked(const std::vector<spec::Descriptor>& modules) {
    const Result<> result = check_modules(modules, kLimits);
    return result ? "good" : result.error().message;
}

TEST(Modules, EachIsBoundedAsALayer) {
    EXPECT_EQ(checked({module_of(100, '1')}), "good");
    EXPECT_NE(checked({module_of(101, '1')}).find("a module of 101 bytes"), std::string::npos);
}

TEST(Modules, AllTogetherAreBoundedAsARootFileSystem) {
    EXPECT_EQ(checked({module_of(100, '1'), module_of(100, '2'), module_of(50, '3')}), "good");
    EXPECT_NE(checked({module_of(100, '1'), module_of(100, '2'), module_of(51, '3')})
                  .find("together are above 250"),
              std::string::npos);
}

TEST(Modules, OneThatIsThereTwiceCountsOnce) {
    EXPECT_EQ(checked({module_of(100, '1'), module_of(100, '1'), module_of(100, '1')}), "good");
}

}  // namespace
}  // namespace knarr::image
