#include "spec/runtime_config.h"

#include <gtest/gtest.h>

namespace knarr::spec {
namespace {

std::string refusal(std::string_view json) {
    const auto result = decode_runtime_config(json);
    return result ? "(accepted)" : result.error().message;
}

TEST(RuntimeConfig, MinimalConfigIsDecoded) {
    const auto config = decode_runtime_config(
        R"({"ociVersion":"1.0.2-dev","process":{"cwd":"/","args":["true"]},"root":{"path":"r"}})");
    ASSERT_TRUE(config) << config.error().message;
    EXPECT_EQ(config->process->args, std::vector<std::string>{"true"});
    EXPECT_EQ(config->root->path, "r");
}

TEST(RuntimeConfig, ErrorsNameTheJsonPath) {
    EXPECT_EQ(refusal(R"({"ociVersion":"1.0.0","linux":{"resources":{"memory":{"limit":"12"}}}})"),
              "config.json: linux.resources.memory.limit: \"12\" is a string, not a number");
    EXPECT_EQ(refusal(R"({"ociVersion":"1.0.0","process":{"user":{"uid":-1}}})"),
              "config.json: process.user.uid: -1 is not between 0 and 4294967295");
    EXPECT_EQ(refusal(R"({"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"pid"},{"type":"uts"},
                          {"type":"foo"}]}})"),
              "config.json: linux.namespaces[2].type: \"foo\" is none of pid, network, mount, ipc, "
              "uts, user, cgroup, time");
}

}  // namespace
}  // namespace knarr::spec
