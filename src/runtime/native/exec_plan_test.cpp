#include "runtime/native/exec_plan.h"

#include <linux/sched.h>

#include "runtime/native/testing_config.h"

namespace knarr::runtime::native {
namespace {

using testing_config::all_of;
using testing_config::usual_bundle;
using testing_config::v1_host;

/// The usual configuration as it is kept for exec.
spec::RuntimeConfig kept_config() {
    spec::RuntimeConfig config = usual_bundle().config;
    config.hostname.clear();
    return config;
}

struct Exec {
    spec::RuntimeConfig config = kept_config();
    sys::CgroupPlan cgroup{.dirs = {{.controllers = "memory",
                                     .mount_point = "/sys/fs/cgroup/memory",
                                     .path = "/knarr/web",
                                     .writes = {}},
                                    {.controllers = "cpu,cpuacct",
                                     .mount_point = "/sys/fs/cgroup/cpu,cpuacct",
                                     .path = "/knarr/web",
                                     .writes = {}}},
                           .v2 = false,
                           .enable = {},
                           .device_rules = {}};
    std::vector<std::string> sub_cgroups = {};

    Result<LaunchPlan> plan(const sys::HostFacts& host = v1_host()) const {
        return plan_exec({.id = "web",
                          .pid = 42,
                          .config = config,
                          .seccomp = sys::SeccompProgram{},
                          .rootfs = "/srv/web/rootfs",
                          .cgroup = &cgroup,
                          .sub_cgroups = sub_cgroups},
                         host);
    }
};

TEST(ExecPlan, EntersTheContainersNamespacesAndMakesNone) {
    const auto plan = Exec{}.plan();
    ASSERT_TRUE(plan) << plan.error().message;
    ASSERT_TRUE(plan->join);
    EXPECT_EQ(plan->join->pid, 42);
    EXPECT_EQ(
        plan->join->namespaces,
        CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP);
    EXPECT_EQ(plan->new_namespaces, 0);
    EXPECT_TRUE(plan->joins.empty());
    EXPECT_FALSE(plan->id_maps);
    EXPECT_TRUE(plan->identity.seccomp);
    EXPECT_TRUE(plan->join->root.empty());
    EXPECT_EQ(all_of<step::SessionKeyring>(plan->steps).front().name, "_ses.web");
}

TEST(ExecPlan, EntersNamespacesThatTheContainerWasGivenByPath) {
    Exec exec;
    exec.config.linux_->namespaces = {
        {.type = spec::NamespaceType::network, .path = "/run/netns/a"},
        {.type = spec::NamespaceType::mount, .path = {}}};
    EXPECT_EQ(exec.plan()->join->namespaces, CLONE_NEWNET | CLONE_NEWNS);
}

TEST(ExecPlan, WithoutAMountNamespaceTheRootIsTheContainers) {
    Exec exec;
    exec.config.linux_->namespaces = {{.type = spec::NamespaceType::pid, .path = {}}};
    EXPECT_EQ(exec.plan()->join->root, "/srv/web/rootfs");
}

TEST(ExecPlan, PutsIntoAUserNamespaceWhatItForbidsBeforehand) {
    Exec exec;
    exec.config.process->rlimits = {{.type = "RLIMIT_NOFILE", .soft = 10, .hard = 20}};
    exec.config.process->oom_score_adj = 100;
    auto plan = exec.plan();
    EXPECT_EQ(all_of<step::ProcSelf>(plan->join->outside).size(), 1U);
    EXPECT_EQ(all_of<step::Rlimits>(plan->steps).size(), 1U);

    exec.config.linux_->namespaces.push_back({.type = spec::NamespaceType::user, .path = {}});
    exec.config.linux_->uid_mappings =
        exec.config.linux_->gid_mappings = {{.container_id = 0, .host_id = 100000, .size = 65536}};
    plan = exec.plan();
    EXPECT_EQ(all_of<step::ProcSelf>(plan->join->outside).size(), 1U);
    EXPECT_EQ(all_of<step::Rlimits>(plan->join->outside).size(), 1U);
    EXPECT_TRUE(all_of<step::Rlimits>(plan->steps).empty());
}

TEST(ExecPlan, ATerminalIsTheUsersAndNotTheConsole) {
    Exec exec;
    exec.config.process->terminal = true;
    exec.config.process->user.uid = 1000;
    const auto plan = exec.plan();
    const auto consoles = all_of<step::Console>(plan->steps);
    ASSERT_EQ(consoles.size(), 1U);
    EXPECT_FALSE(consoles.front().on_dev_console);
    EXPECT_EQ(consoles.front().owner, 1000U);
}

TEST(ExecPlan, ASubCgroupLiesBelowTheContainers) {
    Exec exec{.sub_cgroups = {"a//./b/"}};
    auto plan = exec.plan();
    EXPECT_EQ(plan->cgroup->dirs[0].path, "/knarr/web/a/b");
    EXPECT_EQ(plan->cgroup->dirs[1].path, "/knarr/web/a/b");
    EXPECT_TRUE(plan->join->sub_cgroup);

    exec.sub_cgroups = {"cpuacct:inner"};
    plan = exec.plan();
    EXPECT_EQ(plan->cgroup->dirs[0].path, "/knarr/web");
    EXPECT_EQ(plan->cgroup->dirs[1].path, "/knarr/web/inner");
}

TEST(ExecPlan, RefusesASubCgroupThatLeavesTheContainers) {
    for (const char* sub : {"..", "a/../..", "/..", "cpu:..", "nosuch:a", ":a"}) {
        const auto plan = Exec{.sub_cgroups = {sub}}.plan();
        ASSERT_FALSE(plan) << sub;
        EXPECT_EQ(plan.error().code, Errc::invalid_argument) << sub;
    }
}

TEST(ExecPlan, AffinitiesAreBits) {
    Exec exec;
    exec.config.process->exec_cpu_affinity =
        spec::ExecCpuAffinity{.initial = "0-1,65", .final_value = "3"};
    const auto plan = exec.plan();
    EXPECT_EQ(plan->join->initial_cpus, (std::vector<std::uint64_t>{3, 2}));
    EXPECT_EQ(plan->join->final_cpus, (std::vector<std::uint64_t>{8}));
    exec.config.process->exec_cpu_affinity->initial = "9999";
    EXPECT_EQ(exec.plan().error().code, Errc::invalid_config);
}

TEST(ExecPlan, IsPrintedWithWhatItJoins) {
    Exec exec;
    exec.config.process->oom_score_adj = 100;
    const std::string text = plan_text(*exec.plan());
    EXPECT_NE(text.find("enter namespaces of process 42: pid,network,mount,ipc,uts,cgroup"),
              std::string::npos)
        << text;
    EXPECT_NE(text.find("steps outside:\n   1 proc_self"), std::string::npos) << text;
    EXPECT_NE(plan_json(*exec.plan()).find("\"pid\": 42"), std::string::npos);
}

}  // namespace
}  // namespace knarr::runtime::native
