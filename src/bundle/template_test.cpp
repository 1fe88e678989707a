#include "bundle/template.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace knarr::bundle {
namespace {

TEST(TemplateConfig, IsWhatItsTextSays) {
    for (const spec::RuntimeConfig& config :
         {template_config(), rootless_template_config(1000, 100)}) {
        const std::string text = spec::encode_runtime_config(config);
        const auto decoded = spec::decode_runtime_config(text);
        ASSERT_TRUE(decoded.has_value()) << decoded.error().message;
        EXPECT_EQ(spec::encode_runtime_config(*decoded), text);
    }
}

TEST(TemplateConfig, ForAUserMapsNothingButTheUser) {
    const spec::RuntimeConfig config = rootless_template_config(1000, 100);
    ASSERT_EQ(config.linux_->uid_mappings.size(), 1U);
    EXPECT_EQ(config.linux_->uid_mappings[0].host_id, 1000U);
    EXPECT_EQ(config.linux_->gid_mappings[0].host_id, 100U);
    EXPECT_EQ(std::ranges::count(
                  config.linux_->namespaces, spec::NamespaceType::network, &spec::Namespace::type),
              0);
    EXPECT_FALSE(config.linux_->resources);
}

}  // namespace
}  // namespace knarr::bundle
