#pragma once
// exec into a native container: what of its configuration holds for a further process, as a plan.

#include <optional>
#include <string>
#include <vector>

#include "platform/host_facts.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

/// Everything that a plan of exec is made from.
struct ExecInput {
    std::string id;
    pid_t pid = 0;  // the container's first process
    /// The container's configuration as it was at create, its `process` the one that is to run.
    const spec::RuntimeConfig& config;
    /// The container's filter, compiled at create; the configuration here has none.
    std::optional<sys::SeccompProgram> seccomp;
    std::string rootfs;                          // host path
    const sys::CgroupPlan* cgroup = nullptr;     // the container's; null: it has none
    const rpc::UnitName* unit = nullptr;         // of systemd, if that made the cgroup
    const sys::ResctrlGroup* resctrl = nullptr;  // the container's; null: it has none
    /// "SUB", or on v1 "CONTROLLERS:SUB": cgroups below the container's.
    std::vector<std::string> sub_cgroups;
    bool no_new_keyring = false;
    unsigned preserve_fds = 0;
};

/// The plan of a further process in a running container: it gets the container's namespaces,
/// cgroup, filter, limits and priorities, and of the process what `config.process` says. Pure.
///
/// Errors: invalid_config, unsupported as make_plan; invalid_argument for a sub-cgroup that leaves
/// the container's or names a controller without hierarchy.
/// Source: runtime-spec config.md "process", "execCPUAffinity"; runc exec(8).
Result<LaunchPlan> plan_exec(ExecInput input, const sys::HostFacts& host);

}  // namespace knarr::runtime::native
