#include "bundle/settings.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace knarr::bundle {
namespace {

using Texts = std::vector<std::string>;

Texts chosen(Texts add, Texts drop) {
    const auto out = choose_capabilities(
        {.add_capabilities = std::move(add), .drop_capabilities = std::move(drop)});
    EXPECT_TRUE(out);
    return out.value_or(Texts{});
}

bool has(const Texts& all, std::string_view one) {
    return std::ranges::find(all, one) != all.end();
}

TEST(Capabilities, WithoutWishesAreTheDefaultOnes) {
    EXPECT_EQ(chosen({}, {}), default_capabilities());
}

TEST(Capabilities, AreAddedAndDroppedByDockersRules) {
    const Texts one = chosen({"net_admin", "CAP_SYS_TIME"}, {"CHOWN"});
    EXPECT_TRUE(has(one, "CAP_NET_ADMIN") && has(one, "CAP_SYS_TIME") && has(one, "CAP_SETUID"));
    EXPECT_FALSE(has(one, "CAP_CHOWN"));
    EXPECT_EQ(chosen({"KILL"}, {"ALL"}), Texts{"CAP_KILL"});
    EXPECT_EQ(chosen({}, {"all"}), Texts{});
    const Texts all_but_one = chosen({"ALL"}, {"SYS_ADMIN"});
    EXPECT_EQ(all_but_one.size(), 40U);
    EXPECT_FALSE(has(all_but_one, "CAP_SYS_ADMIN"));
    EXPECT_TRUE(has(chosen({"CHOWN"}, {"CHOWN"}), "CAP_CHOWN"));
}

TEST(Capabilities, OtherNamesAreRefusedWithTheOption) {
    const auto out = choose_capabilities({.drop_capabilities = {"FLY"}});
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Errc::invalid_argument);
    EXPECT_NE(out.error().message.find("--cap-drop \"FLY\""), std::string::npos);
}

spec::RuntimeConfig base() {
    spec::RuntimeConfig config;
    config.hostname = "box";
    config.process.emplace();
    config.process->capabilities.emplace();
    config.linux_.emplace();
    config.linux_->resources.emplace();
    config.linux_->namespaces = {{.type = spec::NamespaceType::pid, .path = {}},
                                 {.type = spec::NamespaceType::uts, .path = {}}};
    config.linux_->masked_paths = {"/proc/kcore"};
    config.linux_->readonly_paths = {"/proc/sys"};
    config.mounts = {{.destination = "/sys",
                      .type = "sysfs",
                      .source = "sysfs",
                      .options = {"nosuid", "ro"},
                      .uid_mappings = {},
                      .gid_mappings = {}},
                     {.destination = "/dev/shm",
                      .type = "tmpfs",
                      .source = "shm",
                      .options = {"size=65536k"},
                      .uid_mappings = {},
                      .gid_mappings = {}}};
    return config;
}

spec::RuntimeConfig with(const ContainerSettings& settings, Errc expected = Errc::internal) {
    spec::RuntimeConfig config = base();
    const auto applied = apply_settings(settings, {}, config);
    EXPECT_EQ(applied.has_value(), expected == Errc::internal);
    if (!applied) {
        EXPECT_EQ(applied.error().code, expected);
    }
    return config;
}

TEST(Settings, TheDefaultIsTheSafeOne) {
    const spec::RuntimeConfig config = with({});
    EXPECT_TRUE(config.process->no_new_privileges);
    EXPECT_TRUE(config.linux_->seccomp);
    EXPECT_EQ(config.process->capabilities->effective, default_capabilities());
    EXPECT_TRUE(config.process->capabilities->ambient.empty());
    EXPECT_EQ(config.linux_->masked_paths.size(), 1U);
}

TEST(Settings, PrivilegedIsEverything) {
    ContainerSettings settings;
    settings.security.privileged = true;
    const spec::RuntimeConfig config = with(settings);
    EXPECT_FALSE(config.process->no_new_privileges);
    EXPECT_FALSE(config.linux_->seccomp);
    EXPECT_EQ(config.process->capabilities->effective.size(), 41U);
    EXPECT_TRUE(config.linux_->masked_paths.empty() && config.linux_->readonly_paths.empty());
    EXPECT_EQ(config.mounts[0].options, (Texts{"nosuid", "rw"}));
    ASSERT_EQ(config.linux_->resources->devices.size(), 1U);
    EXPECT_TRUE(config.linux_->resources->devices[0].allow);
}

TEST(Settings, AUserOtherThanRootStartsWithoutCapabilities) {
    spec::RuntimeConfig config = base();
    config.process->user.uid = 1000;
    ASSERT_TRUE(apply_settings({}, {}, config));
    EXPECT_TRUE(config.process->capabilities->effective.empty());
    EXPECT_EQ(config.process->capabilities->bounding, default_capabilities());
}

TEST(Settings, AMountingCapabilityBringsItsCalls) {
    ContainerSettings settings;
    settings.security.add_capabilities = {"SYS_ADMIN"};
    const auto allows = [](const spec::RuntimeConfig& config, std::string_view call) {
        return std::ranges::any_of(config.linux_->seccomp->syscalls, [&](const auto& rule) {
            return rule.action == "SCMP_ACT_ALLOW" && has(rule.names, call);
        });
    };
    EXPECT_TRUE(allows(with(settings), "mount"));
    EXPECT_FALSE(allows(with({}), "mount"));
    EXPECT_FALSE(allows(with(settings), "init_module"));
}

TEST(Settings, SharedNamespacesAreLeftOut) {
    ContainerSettings settings;
    settings.host_pid = settings.host_uts = true;
    const spec::RuntimeConfig config = with(settings);
    EXPECT_TRUE(config.linux_->namespaces.empty());
    EXPECT_TRUE(config.hostname.empty());
}

TEST(Settings, UlimitsAndTheSizeOfSharedMemory) {
    ContainerSettings settings;
    settings.ulimits = {{.name = "nofile", .soft = 1, .hard = UlimitRequest::kNone}};
    settings.shm_bytes = 4096;
    const spec::RuntimeConfig config = with(settings);
    ASSERT_EQ(config.process->rlimits.size(), 1U);
    EXPECT_EQ(config.process->rlimits[0].type, "RLIMIT_NOFILE");
    EXPECT_EQ(config.mounts[1].options, (Texts{"size=4096"}));
    settings.ulimits[0].name = "nofiles";
    with(settings, Errc::invalid_argument);
}

TEST(Settings, SwapNeedsAMemoryLimitAndIsNotBelowIt) {
    ContainerSettings settings;
    settings.resources.memory_swap = 100;
    with(settings, Errc::invalid_argument);
    spec::RuntimeConfig config = base();
    config.linux_->resources->memory.emplace();
    config.linux_->resources->memory->limit = 200;
    EXPECT_FALSE(apply_settings(settings, {}, config));
    settings.resources.memory_swap = -1;
    ASSERT_TRUE(apply_settings(settings, {}, config));
    EXPECT_EQ(config.linux_->resources->memory->swap, -1);
}

TEST(Settings, TmpfsIsHarmlessUnlessAskedOtherwise) {
    const auto mounts = tmpfs_mounts({.tmpfs = {{.target = "/a//b/", .options = {"exec"}}}});
    ASSERT_TRUE(mounts);
    EXPECT_EQ(mounts->front().destination, "/a/b");
    EXPECT_EQ(mounts->front().options, (Texts{"nosuid", "nodev", "exec"}));
    for (const char* target : {"/", "a", "/a/../b", ""}) {
        EXPECT_FALSE(tmpfs_mounts({.tmpfs = {{.target = target, .options = {}}}})) << target;
    }
}

TEST(Settings, UmaskIsTheUsualOneWhateverTheCallersIs) {
    spec::RuntimeConfig config = base();
    ASSERT_TRUE(apply_settings({}, {}, config));
    EXPECT_EQ(config.process->user.umask, 0022U);
    ASSERT_TRUE(apply_settings({.umask = 0077}, {}, config));
    EXPECT_EQ(config.process->user.umask, 0077U);
}

TEST(Settings, RulesOfDevicesComeLast) {
    spec::RuntimeConfig config = base();
    ContainerSettings settings;
    settings.device_rules = {{.type = 'c', .major = 42, .minor = {}, .access = "rw"}};
    ASSERT_TRUE(apply_settings(settings, {}, config));
    const spec::DeviceRule& last = config.linux_->resources->devices.back();
    EXPECT_TRUE(last.allow);
    EXPECT_EQ(last.type, 'c');
    EXPECT_EQ(last.major, 42);
    EXPECT_FALSE(last.minor);
    EXPECT_EQ(last.access, "rw");
}

TEST(Settings, RulesOfDevicesAddNothingToPrivileged) {
    spec::RuntimeConfig config = base();
    ContainerSettings settings;
    settings.security.privileged = true;
    settings.device_rules = {{.type = 'c', .major = 42, .minor = {}, .access = "rw"}};
    ASSERT_TRUE(apply_settings(settings, {}, config));
    ASSERT_EQ(config.linux_->resources->devices.size(), 1U);
    EXPECT_EQ(config.linux_->resources->devices.front().type, 'a');
}

TEST(Settings, WithoutTheOomKillerThereMustBeALimit) {
    spec::RuntimeConfig config = base();
    ContainerSettings settings;
    settings.resources.waits_for_memory = true;
    const auto refused = apply_settings(settings, {}, config);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("--oom-kill-disable"), std::string::npos);
    config.linux_->resources->memory.emplace().limit = 1 << 20;
    ASSERT_TRUE(apply_settings(settings, {}, config));
    EXPECT_EQ(config.linux_->resources->memory->disable_oom_killer, true);
}

TEST(Settings, TheCgroupLiesInItsParent) {
    EXPECT_EQ(cgroup_below("", "id"), "");
    EXPECT_EQ(cgroup_below("/a/b/", "id"), "/a/b/id");
    EXPECT_EQ(cgroup_below("a", "id"), "/a/id");
    EXPECT_EQ(cgroup_below("web.slice", "id"), "web.slice:knarr:id");
    EXPECT_EQ(cgroup_below("/web.slice", "id"), "/web.slice/id");
}

}  // namespace
}  // namespace knarr::bundle
