#include "engine/criu.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

bundle::Bundle with_mounts() {
    bundle::Bundle bundle{.directory = "/bundles/web", .config = {}, .rootfs = {}};
    const auto mount = [&](const char* target,
                           const char* type,
                           const char* source,
                           std::vector<std::string> options) {
        bundle.config.mounts.push_back({.destination = target,
                                        .type = type,
                                        .source = source,
                                        .options = std::move(options),
                                        .uid_mappings = {},
                                        .gid_mappings = {}});
    };
    mount("/proc", "proc", "proc", {});
    mount("/a", "none", "/host/a", {"rbind", "ro"});
    mount("/b", "bind", "data", {});
    bundle.config.linux_.emplace().masked_paths = {"/proc/kcore", "/proc/acpi"};
    return bundle;
}

TEST(ExternalMounts, AreBindsAndMaskedFilesByTheirPlaceInTheContainer) {
    const auto mounts = external_mounts(
        with_mounts(), [](const std::string& path) { return path == "/proc/kcore"; });
    ASSERT_EQ(mounts.size(), 3U);
    EXPECT_EQ(mounts[0].target, "/a");
    EXPECT_EQ(mounts[0].source, "/host/a");
    EXPECT_EQ(mounts[1].target, "/b");
    EXPECT_EQ(mounts[1].source, "/bundles/web/data");
    EXPECT_EQ(mounts[2].target, "/proc/kcore");
    EXPECT_EQ(mounts[2].source, "/dev/null");
}

TEST(FailureInLog, IsTheLastErrorElseTheLastLine) {
    EXPECT_EQ(failure_in_log("Error (a): 1\nError (b): 2\nDumping FAILED.\n"), "Error (b): 2");
    EXPECT_EQ(failure_in_log("one\ntwo\n\n"), "two");
    EXPECT_EQ(failure_in_log("Error (a): \x1b[2J\n"), "Error (a): \\x1b[2J");
    EXPECT_EQ(failure_in_log(""), "");
}

}  // namespace
}  // namespace knarr::engine
