#include "runtime/native/identity.h"

#include <linux/sched.h>
#include <sys/resource.h>

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::all_of;
using testing_config::must_fail;
using testing_config::must_plan;
using testing_config::usual_bundle;
using testing_config::v1_host;

TEST(Identity, InheritableIsWhatTheBundleSaysAndNoMore) {
    bundle::Bundle bundle = usual_bundle();
    EXPECT_EQ(must_plan(bundle, v1_host()).identity.cap_inheritable, 1ULL | 1ULL << 10U);
    bundle.config.process->capabilities->inheritable.clear();
    bundle.config.process->capabilities->ambient.clear();
    EXPECT_EQ(must_plan(bundle, v1_host()).identity.cap_inheritable, 0U);
}

TEST(Identity, WithoutCapabilitiesThereAreNone) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.process->capabilities.reset();
    const Identity who = must_plan(bundle, v1_host()).identity;
    EXPECT_EQ(who.cap_bounding | who.cap_effective | who.cap_permitted | who.cap_ambient, 0U);
}

TEST(Identity, UnknownCapabilitiesAreWarnedAboutOnce) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.process->capabilities->bounding = {"CAP_NONE", "CAP_CHOWN", "CAP_BPF"};
    bundle.config.process->capabilities->inheritable = {"CAP_NONE"};
    bundle.config.process->capabilities->ambient.clear();
    sys::HostFacts host = v1_host();
    host.last_cap = 37;  // before CAP_PERFMON and CAP_BPF
    const LaunchPlan plan = must_plan(bundle, host);
    EXPECT_EQ(plan.identity.cap_bounding, 1U);
    EXPECT_EQ(plan.warnings,
              (std::vector<std::string>{
                  "process.capabilities: left out CAP_NONE (no capability of that name)",
                  "process.capabilities: left out CAP_BPF (not known to this kernel)"}));
}

TEST(Identity, CapabilitiesThatTheKernelWouldNotGiveAreLeftOutWithAWarning) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.process->capabilities =
        spec::Capabilities{.bounding = {"CAP_CHOWN"},
                           .effective = {"CAP_CHOWN", "CAP_KILL", "CAP_FOWNER"},
                           .inheritable = {"CAP_FOWNER"},
                           .permitted = {"CAP_CHOWN"},
                           .ambient = {"CAP_CHOWN"}};
    const LaunchPlan plan = must_plan(bundle, v1_host());
    EXPECT_EQ(plan.identity.cap_effective, 1U);
    EXPECT_EQ(plan.identity.cap_inheritable, 0U);
    EXPECT_EQ(plan.identity.cap_ambient, 0U);
    EXPECT_EQ(
        plan.warnings,
        (std::vector<std::string>{
            "process.capabilities: left out CAP_FOWNER, CAP_KILL (effective but not permitted)",
            "process.capabilities: left out CAP_FOWNER (inheritable but not in the bounding set)",
            "process.capabilities: left out CAP_CHOWN (ambient but not inheritable)"}));
}

TEST(Identity, WhatTheLauncherLacksCanOnlyBeGivenInAUserNamespace) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.process->capabilities = spec::Capabilities{.bounding = {"CAP_SYS_RESOURCE"},
                                                             .effective = {},
                                                             .inheritable = {},
                                                             .permitted = {"CAP_SYS_RESOURCE"},
                                                             .ambient = {}};
    sys::HostFacts host = v1_host();
    host.bounding_caps = host.effective_caps = 0x1fffeffffff;
    const LaunchPlan plan = must_plan(bundle, host);
    EXPECT_EQ(plan.identity.cap_bounding | plan.identity.cap_permitted, 0U);
    EXPECT_EQ(plan.warnings,
              (std::vector<std::string>{
                  "process.capabilities: left out CAP_SYS_RESOURCE (not ours to give)"}));
    bundle.config.linux_->namespaces.push_back(
        testing_config::new_namespace(spec::NamespaceType::user));
    bundle.config.linux_->uid_mappings =
        bundle.config.linux_->gid_mappings = {{.container_id = 0, .host_id = 1, .size = 9999}};
    EXPECT_EQ(must_plan(bundle, host).identity.cap_permitted, 1ULL << 24U);
}

TEST(Identity, SeccompBecomesAFilterAndUnknownCallsAreWarnedAbout) {
    bundle::Bundle bundle = usual_bundle();
    spec::Seccomp& seccomp = bundle.config.linux_->seccomp.emplace();
    seccomp.default_action = "SCMP_ACT_ALLOW";
    seccomp.syscalls = {{.names = {"acct", "no_such_call"},
                         .action = "SCMP_ACT_ERRNO",
                         .errno_ret = {},
                         .args = {}}};
    const LaunchPlan plan = must_plan(bundle, v1_host());
    ASSERT_TRUE(plan.identity.seccomp);
    EXPECT_FALSE(plan.identity.seccomp->code.empty());
    EXPECT_EQ(plan.warnings,
              (std::vector<std::string>{"linux.seccomp: not known as system calls: no_such_call"}));

    seccomp.syscalls[0].action = "SCMP_ACT_NOTIFY";
    seccomp.listener_path = "/run/agent.sock";
    const Identity notified = must_plan(bundle, v1_host()).identity;
    EXPECT_TRUE(notified.seccomp->needs_listener);
    EXPECT_EQ(notified.seccomp_listener_path, "/run/agent.sock");

    bundle.config.annotations["run.oci.seccomp_fail_unknown_syscall"] = "1";
    const Error error = must_fail(bundle, v1_host());
    EXPECT_EQ(error.code, Errc::invalid_config);
    EXPECT_NE(error.message.find("no_such_call"), std::string::npos);
}

TEST(Identity, AProfileUnderWhichNoProgramCanBeStartedIsRefused) {
    bundle::Bundle bundle = usual_bundle();
    spec::Seccomp& seccomp = bundle.config.linux_->seccomp.emplace();
    seccomp.default_action = "SCMP_ACT_KILL";
    EXPECT_NE(must_fail(bundle, v1_host()).message.find("denies execve (SCMP_ACT_KILL)"),
              std::string::npos);
    seccomp.syscalls = {
        {.names = {"execve"}, .action = "SCMP_ACT_ALLOW", .errno_ret = {}, .args = {}},
        {.names = {"execve"}, .action = "SCMP_ACT_KILL", .errno_ret = {}, .args = {}}};
    EXPECT_TRUE(must_plan(bundle, v1_host()).identity.seccomp) << "the default says nothing";
    seccomp.default_action = "SCMP_ACT_ALLOW";
    const Error error = must_fail(bundle, v1_host());
    EXPECT_EQ(error.code, Errc::invalid_config);
    EXPECT_NE(error.hint.find("SCMP_ACT_ALLOW"), std::string::npos);
    seccomp.syscalls[1].args = {{.index = 0, .value = 1, .value_two = 0, .op = "SCMP_CMP_EQ"}};
    EXPECT_TRUE(must_plan(bundle, v1_host()).identity.seccomp) << "the arguments decide";
}

TEST(Identity, LabelsNeedTheirSecurityModule) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.process->apparmor_profile = "web";
    Error error = must_fail(bundle);
    EXPECT_EQ(error.code, Errc::unsupported);
    EXPECT_EQ(
        error.message,
        "process.apparmorProfile: \"web\" is asked for, but AppArmor is not enabled on this host");
    sys::HostFacts host = v1_host();
    host.apparmor = host.selinux = true;
    EXPECT_EQ(must_plan(bundle, host).identity.apparmor_profile, "web");

    bundle.config.process->apparmor_profile = "unconfined";
    EXPECT_EQ(must_plan(bundle, v1_host()).identity.apparmor_profile, "");
    bundle.config.process->selinux_label = "system_u:system_r:container_t:s0";
    EXPECT_EQ(must_fail(bundle).code, Errc::unsupported);
    EXPECT_EQ(must_plan(bundle, host).identity.selinux_label, "system_u:system_r:container_t:s0");
    bundle.config.process->selinux_label.clear();
    bundle.config.linux_->mount_label = "x";
    EXPECT_EQ(must_fail(bundle).code, Errc::unsupported);
}

TEST(Identity, GroupsAreKeptWhenTheAnnotationAsks) {
    bundle::Bundle bundle = usual_bundle();
    bundle.config.annotations["run.oci.keep_original_groups"] = "1";
    EXPECT_TRUE(must_fail(bundle).message.starts_with("process.user.additionalGids: "));
    bundle.config.process->user.additional_gids.clear();
    EXPECT_FALSE(must_plan(bundle, v1_host()).identity.set_groups);
}

TEST(Attributes, EachIsAStepAndLimitsComeLast) {
    bundle::Bundle bundle = usual_bundle();
    spec::Process& process = *bundle.config.process;
    process.scheduler = spec::Scheduler{.policy = "SCHED_BATCH", .nice = 5, .flags = {}};
    process.scheduler->flags = {"SCHED_FLAG_RESET_ON_FORK"};
    process.io_priority = spec::IoPriority{.io_class = "IOPRIO_CLASS_IDLE", .priority = 0};
    process.rlimits.push_back({.type = "RLIMIT_CORE", .soft = 0, .hard = RLIM_INFINITY});
    bundle.config.linux_->personality = spec::Personality{.domain = "LINUX32", .flags = {}};
    bundle.config.linux_->memory_policy = spec::MemoryPolicy{
        .mode = "MPOL_BIND", .nodes = "0-1,65", .flags = {"MPOL_F_STATIC_NODES"}};
    const LaunchPlan plan = must_plan(bundle, v1_host());

    const auto scheduler = all_of<step::SchedulerPolicy>(plan.steps).at(0);
    EXPECT_EQ(scheduler.policy, 3U);
    EXPECT_EQ(scheduler.flags, 1U);
    EXPECT_EQ(scheduler.nice, 5);
    EXPECT_EQ(all_of<step::IoPriority>(plan.steps).at(0).value, 3 << 13);
    EXPECT_EQ(all_of<step::Personality>(plan.steps).at(0).persona, 8U);
    const auto policy = all_of<step::MemoryPolicy>(plan.steps).at(0);
    EXPECT_EQ(policy.mode, 2 | 1 << 15);
    EXPECT_EQ(policy.node_mask, (std::vector<std::uint64_t>{3, 2}));
    const auto* limits = std::get_if<step::Rlimits>(&plan.steps.back().operation);
    ASSERT_NE(limits, nullptr);
    ASSERT_EQ(limits->all.size(), 2U);
    EXPECT_EQ(limits->all[0].resource, RLIMIT_NOFILE);
    EXPECT_EQ(limits->all[1].hard, RLIM_INFINITY);
}

TEST(Attributes, WhatIsWrongIsNamed) {
    struct Row {
        void (*spoil)(spec::RuntimeConfig&);
        const char* says;
    };
    const Row rows[] = {
        {[](auto& c) { c.process->rlimits[0].type = "RLIMIT_X"; },
         "process.rlimits[0].type: \"RLIMIT_X\" is not known"},
        {[](auto& c) { c.process->rlimits.push_back(c.process->rlimits[0]); },
         "process.rlimits[1]: RLIMIT_NOFILE is there twice"},
        {[](auto& c) { c.process->rlimits[0].soft = 9999; },
         "process.rlimits[0]: soft 9999 is above hard 4096"},
        {[](auto& c) { c.process->oom_score_adj = 1001; },
         "process.oomScoreAdj: 1001 is not in -1000 to 1000"},
        {[](auto& c) { c.process->scheduler = spec::Scheduler{.policy = "SCHED_X", .flags = {}}; },
         "process.scheduler.policy: \"SCHED_X\" is not known"},
        {[](auto& c) {
             c.process->scheduler =
                 spec::Scheduler{.policy = "SCHED_OTHER", .nice = -21, .flags = {}};
         },
         "process.scheduler.nice: -21 is not in -20 to 19"},
        {[](auto& c) {
             c.process->scheduler =
                 spec::Scheduler{.policy = "SCHED_OTHER", .priority = 5, .flags = {}};
         },
         "process.scheduler.priority: 5 does not fit SCHED_OTHER"},
        {[](auto& c) {
             c.process->scheduler =
                 spec::Scheduler{.policy = "SCHED_FIFO", .priority = 5, .flags = {}, .runtime = 1};
         },
         "process.scheduler: runtime, deadline and period belong to SCHED_DEADLINE"},
        {[](auto& c) {
             c.process->io_priority =
                 spec::IoPriority{.io_class = "IOPRIO_CLASS_BE", .priority = 8};
         },
         "process.ioPriority.priority: 8 is not in 0 to 7"},
        {[](auto& c) {
             c.linux_->personality = spec::Personality{.domain = "LINUX64", .flags = {}};
         },
         "linux.personality.domain: \"LINUX64\""},
        {[](auto& c) {
             c.linux_->memory_policy =
                 spec::MemoryPolicy{.mode = "MPOL_BIND", .nodes = "3-1", .flags = {}};
         },
         "linux.memoryPolicy.nodes: \"3-1\""},
        {[](auto& c) { c.process->user.umask = 01000; }, "process.user.umask: 1000 (octal)"},
        {[](auto& c) { c.process->user.uid = UINT32_MAX; }, "process.user.uid: 4294967295"},
        {[](auto& c) { c.process->user.gid = UINT32_MAX; }, "process.user.gid: 4294967295"},
    };
    for (const Row& row : rows) {
        bundle::Bundle bundle = usual_bundle();
        row.spoil(bundle.config);
        const Error error = must_fail(bundle);
        EXPECT_EQ(error.code, Errc::invalid_config);
        EXPECT_TRUE(error.message.starts_with(row.says)) << error.message;
    }
}

}  // namespace
}  // namespace knarr::runtime::native
