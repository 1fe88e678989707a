#include "bundle/make.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace knarr::bundle {
namespace {

using Texts = std::vector<std::string>;

struct Wish {
    spec::ImageConfig image;
    RunRequest request;
    ResolvedUser user;
    Limits limits = kDefaultLimits;
    bool swap = false;

    Wish() {
        request.image = "busybox";
        image.config.cmd = {"sh"};
        user.home = "/root";
    }
    Result<Made> make() const {
        return make_bundle({.image = image,
                            .request = request,
                            .rootfs = OverlayRoot{.lowers = {"/l1"},
                                                  .upper = "/c/upper",
                                                  .work = "/c/work",
                                                  .merged = "/c/merged"},
                            .user = user,
                            .hostname = "abc",
                            .directory = "/c",
                            .files = {.hosts = "/c/hosts",
                                      .hostname = "/c/hostname",
                                      .resolv_conf = "/c/resolv.conf"},
                            .limits = limits,
                            .swap_accounting = swap});
    }
    spec::RuntimeConfig config() const {
        auto made = make();
        EXPECT_TRUE(made) << made.error().message;
        return made ? std::move(made->bundle.config) : spec::RuntimeConfig{};
    }
    Errc refusal() const {
        auto made = make();
        EXPECT_FALSE(made);
        return made ? Errc::internal : made.error().code;
    }
};

bool contains(const Texts& all, std::string_view one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

const spec::Mount* mount_on(const spec::RuntimeConfig& config, std::string_view target) {
    const auto at = std::find_if(config.mounts.begin(), config.mounts.end(), [&](const auto& m) {
        return m.destination == target;
    });
    return at == config.mounts.end() ? nullptr : &*at;
}

TEST(MakeBundleArgs, EntrypointAndCmdAreJoined) {
    Wish wish;
    wish.image.config.entrypoint = {"/entry", "-x"};
    EXPECT_EQ(wish.config().process->args, (Texts{"/entry", "-x", "sh"}));
}

TEST(MakeBundleArgs, ACommandReplacesCmdOnly) {
    Wish wish;
    wish.image.config.entrypoint = {"/entry"};
    wish.request.command = {"ls", "-l"};
    EXPECT_EQ(wish.config().process->args, (Texts{"/entry", "ls", "-l"}));
}

TEST(MakeBundleArgs, AnEntrypointOfTheCallerDropsCmd) {
    Wish wish;
    wish.image.config.entrypoint = {"/entry"};
    wish.request.entrypoint = Texts{"/mine"};
    EXPECT_EQ(wish.config().process->args, Texts{"/mine"});
    wish.request.command = {"a"};
    EXPECT_EQ(wish.config().process->args, (Texts{"/mine", "a"}));
}

TEST(MakeBundleArgs, NothingToRunIsAnErrorWithTheFix) {
    Wish wish;
    wish.image.config.cmd.clear();
    const auto made = wish.make();
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid_argument);
    EXPECT_NE(made.error().hint.find("COMMAND"), std::string::npos);
    wish.image.config.entrypoint = {"/entry"};
    wish.request.entrypoint = Texts{};
    EXPECT_EQ(wish.refusal(), Errc::invalid_argument);
}

TEST(MakeBundleEnv, TheCallersWinsOverTheImagesInPlace) {
    Wish wish;
    wish.image.config.env = {"A=image", "B=image", "PATH=/bin", "A=later"};
    wish.request.env = {"B=mine", "C=", "HOME=/h"};
    EXPECT_EQ(wish.config().process->env,
              (Texts{"A=later", "B=mine", "PATH=/bin", "C=", "HOME=/h", "HOSTNAME=abc"}));
}

TEST(MakeBundleEnv, PathAndHomeHaveDefaults) {
    Wish wish;
    wish.user.home = "/srv/web";
    const auto env = wish.config().process->env;
    EXPECT_TRUE(contains(env, "HOME=/srv/web"));
    EXPECT_TRUE(contains(env, "PATH=" + std::string(kDefaultPath)));
}

TEST(MakeBundleEnv, AnEntryWithoutValueNeverTakesTheHosts) {
    Wish wish;
    setenv("KNARR_TEST_SECRET", "leaked", 1);
    wish.image.config.env = {"KNARR_TEST_SECRET", "=x", std::string("N=a\0b", 5)};
    const auto made = wish.make();
    ASSERT_TRUE(made);
    EXPECT_EQ(made->warnings.size(), 3u);
    for (const std::string& one : made->bundle.config.process->env) {
        EXPECT_EQ(one.find("KNARR_TEST_SECRET"), std::string::npos);
    }
    wish.request.env = {"NAME"};
    EXPECT_EQ(wish.refusal(), Errc::invalid_argument);
}

TEST(MakeBundleCwd, ComesFromTheCallerOrTheImage) {
    Wish wish;
    EXPECT_EQ(wish.config().process->cwd, "/");
    wish.image.config.working_dir = "srv";
    EXPECT_EQ(wish.config().process->cwd, "/srv");
    wish.request.workdir = "/mine";
    EXPECT_EQ(wish.config().process->cwd, "/mine");
    wish.request.workdir = "relative";
    EXPECT_EQ(wish.refusal(), Errc::invalid_argument);
}

TEST(MakeBundleUser, RootHasElevenCapabilitiesAndNoneToInherit) {
    const auto caps = *Wish().config().process->capabilities;
    EXPECT_EQ(caps.bounding.size(), 11u);
    EXPECT_EQ(caps.effective, caps.bounding);
    EXPECT_EQ(caps.permitted, caps.bounding);
    EXPECT_TRUE(caps.inheritable.empty());
    EXPECT_TRUE(caps.ambient.empty());
    for (const auto* dangerous :
         {"CAP_SYS_ADMIN", "CAP_NET_RAW", "CAP_MKNOD", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}) {
        EXPECT_FALSE(contains(caps.bounding, dangerous));
    }
}

TEST(MakeBundleUser, AnotherUserHasNoCapabilities) {
    Wish wish;
    wish.user.uid = 1000;
    wish.user.gid = 1001;
    wish.user.groups = {29, 44};
    const auto process = *wish.config().process;
    EXPECT_EQ(process.user.uid, 1000u);
    EXPECT_EQ(process.user.gid, 1001u);
    EXPECT_EQ(process.user.additional_gids, (std::vector<std::uint32_t>{29, 44}));
    EXPECT_TRUE(process.capabilities->effective.empty());
    EXPECT_TRUE(process.capabilities->permitted.empty());
}

TEST(MakeBundleDefaults, AreSafe) {
    const auto config = Wish().config();
    EXPECT_TRUE(config.process->no_new_privileges);
    EXPECT_TRUE(config.linux_->seccomp.has_value());
    EXPECT_EQ(config.linux_->namespaces.size(), 6u);
    EXPECT_TRUE(contains(config.linux_->masked_paths, "/proc/kcore"));
    EXPECT_TRUE(contains(config.linux_->masked_paths, "/sys/firmware"));
    EXPECT_TRUE(contains(config.linux_->readonly_paths, "/proc/sys"));
    EXPECT_EQ(config.linux_->resources->pids_limit, kDefaultPidsLimit);
    EXPECT_FALSE(config.linux_->resources->devices.front().allow);
    EXPECT_FALSE(config.linux_->resources->memory.has_value());
    EXPECT_TRUE(contains(mount_on(config, "/sys")->options, "ro"));
    EXPECT_TRUE(contains(mount_on(config, "/sys/fs/cgroup")->options, "ro"));
    EXPECT_TRUE(contains(mount_on(config, "/dev")->options, "size=65536k"));
    EXPECT_EQ(config.hostname, "abc");
    EXPECT_EQ(config.root->path, "/c/merged");
    EXPECT_FALSE(config.root->readonly);
}

TEST(MakeBundleDefaults, LabelsNeverBecomeAnnotations) {
    Wish wish;
    wish.image.config.labels = {{"run.oci.handler", "evil"}, {"org.criu.config", "/x"}};
    EXPECT_TRUE(wish.config().annotations.empty());
}

TEST(MakeBundleDefaults, HostNetworkIsAskedForExplicitly) {
    Wish wish;
    wish.request.network = NetworkMode::host;
    const auto config = wish.config();
    EXPECT_EQ(config.linux_->namespaces.size(), 5u);
    for (const auto& space : config.linux_->namespaces) {
        EXPECT_NE(space.type, spec::NamespaceType::network);
    }
}

TEST(MakeBundleReadOnly, RootIsReadOnlyAndScratchIsNot) {
    Wish wish;
    wish.request.read_only = true;
    const auto made = wish.make();
    ASSERT_TRUE(made);
    const auto& config = made->bundle.config;
    EXPECT_TRUE(config.root->readonly);
    for (const auto* scratch : {"/tmp", "/run", "/var/tmp"}) {
        ASSERT_NE(mount_on(config, scratch), nullptr) << scratch;
        EXPECT_EQ(mount_on(config, scratch)->type, "tmpfs");
    }
    EXPECT_TRUE(contains(mount_on(config, "/etc/hosts")->options, "ro"));
}

TEST(MakeBundleVolumes, AreBoundWithWhatWasAsked) {
    Wish wish;
    wish.request.volumes = {{.source = "/h/a", .target = "/a//b/", .propagation = {}, .flags = {}},
                            {.source = "/h/b",
                             .target = "/a",
                             .read_only = true,
                             .propagation = "rslave",
                             .flags = {"nosuid"}}};
    const auto config = wish.config();
    EXPECT_EQ(config.mounts.back().destination, "/a/b");  // the inner one last
    EXPECT_EQ(config.mounts.back().options, (Texts{"rbind", "rprivate"}));
    EXPECT_EQ(mount_on(config, "/a")->options, (Texts{"rbind", "rslave", "rro", "nosuid"}));
}

TEST(MakeBundleVolumes, TakeThePlaceOfADefault) {
    Wish wish;
    wish.request.volumes = {
        {.source = "/h/hosts", .target = "/etc/hosts", .propagation = {}, .flags = {}}};
    const auto config = wish.config();
    EXPECT_EQ(mount_on(config, "/etc/hosts")->source, "/h/hosts");
    EXPECT_EQ(std::count_if(config.mounts.begin(),
                            config.mounts.end(),
                            [](const auto& m) { return m.destination == "/etc/hosts"; }),
              1);
}

TEST(MakeBundleVolumes, BadTargetsAreRefused) {
    for (const auto* target : {"", "relative", "/", "//", "/a/../b", "/.."}) {
        Wish wish;
        wish.request.volumes = {{.source = "/h", .target = target, .propagation = {}, .flags = {}}};
        EXPECT_EQ(wish.refusal(), Errc::invalid_argument) << target;
    }
    Wish twice;
    twice.request.volumes = {{.source = "/h", .target = "/a", .propagation = {}, .flags = {}},
                             {.source = "/i", .target = "/a/", .propagation = {}, .flags = {}}};
    EXPECT_EQ(twice.refusal(), Errc::invalid_argument);
}

TEST(MakeBundleLimits, MemoryTakesAsMuchSwapAgainWhereThatCanBeLimited) {
    Wish wish;
    wish.request.memory_bytes = 64 << 20;
    EXPECT_FALSE(wish.config().linux_->resources->memory->swap.has_value());
    wish.swap = true;
    EXPECT_EQ(wish.config().linux_->resources->memory->swap, 128 << 20);
}

TEST(MakeBundleLimits, StrictPolicyHasADefaultAndAMaximum) {
    Wish wish;
    wish.limits = kStrictLimits;
    EXPECT_EQ(wish.config().linux_->resources->memory->limit, kStrictLimits.default_memory_bytes);
    wish.request.memory_bytes = kStrictLimits.max_memory_bytes;
    EXPECT_EQ(wish.config().linux_->resources->memory->limit, kStrictLimits.max_memory_bytes);
    wish.request.memory_bytes = kStrictLimits.max_memory_bytes + 1;
    EXPECT_EQ(wish.refusal(), Errc::limit_exceeded);
}

TEST(MakeBundleLimits, CpuAndPidsAreTakenOver) {
    Wish wish;
    wish.request.cpu_quota_us = 150'000;
    wish.request.pids_limit = -1;
    const auto resources = *wish.config().linux_->resources;
    EXPECT_EQ(resources.cpu->quota, 150'000);
    EXPECT_EQ(resources.cpu->period, kCpuPeriodUs);
    EXPECT_EQ(resources.pids_limit, -1);
}

TEST(MakeBundleEnv, VariablesOfTheImageAreUnset) {
    Wish wish;
    wish.image.config.env = {"A=1", "B=2", "PATH=/x"};
    wish.request.env = {"C=3"};
    wish.request.settings.unset_env = {"B", "PATH"};
    Texts env = wish.config().process->env;
    EXPECT_TRUE(contains(env, "A=1") && contains(env, "C=3") && contains(env, "HOME=/root"));
    EXPECT_FALSE(contains(env, "B=2"));
    EXPECT_TRUE(std::ranges::none_of(env, [](const auto& one) { return one.starts_with("PATH"); }));
    wish.request.settings.unset_all_env = true;
    EXPECT_EQ(wish.config().process->env, Texts{"C=3"});
}

TEST(MakeBundleMounts, HostsAndScratchMayBeLeftOut) {
    Wish wish;
    wish.request.read_only = true;
    wish.request.read_only_scratch = false;
    wish.request.settings.image_hosts = true;
    const spec::RuntimeConfig config = wish.config();
    EXPECT_EQ(mount_on(config, "/etc/hosts"), nullptr);
    EXPECT_EQ(mount_on(config, "/tmp"), nullptr);
    EXPECT_NE(mount_on(config, "/etc/resolv.conf"), nullptr);
}

}  // namespace
}  // namespace knarr::bundle
