#pragma once
// native: a container as Linux namespaces. Its plan is the whole of config.json, nothing else.

#include "bundle/bundle.h"
#include "knarr/cgroup_manager.h"
#include "platform/host_facts.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

/// What the caller, not the bundle, decides about a launch.
struct PlanOptions {
    std::string id;
    bool no_pivot = false;
    bool no_new_keyring = false;
    unsigned preserve_fds = 0;
    unsigned listen_fds = 0;  // socket activation: they come before the preserved ones
    std::string listen_names;
    std::optional<bool> rootless = {};  // whether the caller counts as the host's root; default:
                                        // by its user and user namespace
    bool console_socket = false;        // the caller has a console socket for process.terminal
    CgroupManager cgroup_manager = CgroupManager::cgroupfs;
    std::string root = {};          // of states; systemd: part of the unit's description
    std::string proc_devices = {};  // systemd: the text of /proc/devices
};

/// Turns a bundle into a launch plan. Pure: no system call, no clock, no path looked up.
///
/// Errors: invalid_config for a contradiction that only the whole shows, unsupported for what this
/// host cannot do (never left out silently), each naming the property.
/// Source: runtime-spec v1.3.0 config-linux.md.
Result<LaunchPlan> make_plan(const bundle::Bundle& bundle,
                             const sys::HostFacts& host,
                             const PlanOptions& options);

}  // namespace knarr::runtime::native
