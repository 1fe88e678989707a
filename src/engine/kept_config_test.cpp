#include "engine/kept_config.h"

#include <gtest/gtest.h>

namespace knarr::engine {
namespace {

TEST(KeptConfig, KeepsWhatConcernsProcessesAlone) {
    spec::RuntimeConfig config;
    config.oci_version = "1.2.0";
    config.process.emplace().args = {"/init"};
    config.process->cwd = "/";
    config.hostname = "web";
    config.mounts.emplace_back().destination = "/proc";
    config.hooks.prestart.emplace_back().path = "/hook";
    config.linux_.emplace().namespaces = {{.type = spec::NamespaceType::pid, .path = {}}};
    config.linux_->seccomp.emplace();
    config.linux_->personality = spec::Personality{.domain = "LINUX", .flags = {}};

    const spec::RuntimeConfig kept = part_to_keep(config);
    EXPECT_TRUE(kept.mounts.empty());
    EXPECT_TRUE(kept.hooks.prestart.empty());
    EXPECT_FALSE(kept.linux_->seccomp);
    const auto again = spec::decode_runtime_config(spec::encode_runtime_config(kept));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->process->args, config.process->args);
    EXPECT_EQ(again->linux_->namespaces.size(), 1U);
    EXPECT_EQ(again->linux_->personality->domain, "LINUX");
}

TEST(KeptConfig, AFilterComesBackAsItWas) {
    const sys::SeccompProgram program{.code = {{.code = 6, .jt = 0, .jf = 0, .k = 0x7fff0000}},
                                      .flags = 2,
                                      .needs_listener = true};
    const auto again = decode_filter(encode_filter(program));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->flags, 2U);
    EXPECT_TRUE(again->needs_listener);
    ASSERT_EQ(again->code.size(), 1U);
    EXPECT_EQ(again->code[0].k, 0x7fff0000U);
}

TEST(KeptConfig, AFilterThatIsGoneOrAnotherIsTold) {
    const auto root = StateRoot::open(testing::TempDir() + "/kept_filter");
    ASSERT_TRUE(root) << root.error().message;
    const auto id = ContainerId::parse("box");
    auto dir = root->make(*id, [](const LockedDir&) -> Result<bool> { return true; });
    ASSERT_TRUE(dir) << dir.error().message;
    spec::RuntimeConfig config;
    config.oci_version = "1.2.0";
    config.process.emplace().args = {"/init"};
    config.process->cwd = "/";
    const sys::SeccompProgram program{.code = {{.code = 6, .jt = 0, .jf = 0, .k = 0x7fff0000},
                                               {.code = 6, .jt = 0, .jf = 0, .k = 0}},
                                      .flags = 0};
    ASSERT_TRUE(keep_config(*dir, config, program));
    EXPECT_TRUE(load_kept_config(dir->fd())->seccomp);
    for (const std::string& other :
         {std::string(), encode_filter({.code = {program.code[0]}, .flags = 0})}) {
        ASSERT_TRUE(sys::replace_file(dir->fd(), kKeptSeccompFile, other, 0600, sys::Sync::file));
        EXPECT_EQ(load_kept_config(dir->fd()).error().code, Errc::corrupt);
    }
    ASSERT_TRUE(sys::unlink_at(dir->fd(), kKeptSeccompFile));
    EXPECT_FALSE(load_kept_config(dir->fd()));
    // One that never had any has none to lose.
    ASSERT_TRUE(keep_config(*dir, config, std::nullopt));
    EXPECT_FALSE(load_kept_config(dir->fd())->seccomp);
    ASSERT_TRUE(root->remove(std::move(*dir)));
}

TEST(KeptConfig, RefusesADamagedFilter) {
    const std::string good =
        encode_filter({.code = {{.code = 6, .jt = 0, .jf = 0, .k = 0}}, .flags = 0});
    std::string other = good;
    other[0] = 'x';
    for (const std::string& bytes :
         {std::string(), good.substr(0, 15), good.substr(0, 16), good + "1", other}) {
        const auto program = decode_filter(bytes);
        ASSERT_FALSE(program) << bytes.size();
        EXPECT_EQ(program.error().code, Errc::corrupt);
    }
}

}  // namespace
}  // namespace knarr::engine
