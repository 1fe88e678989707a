#pragma once
// linux.cgroupsPath and linux.resources as a scope of systemd, for --systemd-cgroup.
//
// Whatever systemd has a property for is said twice: to systemd, which would put its own idea back
// at the next `systemctl daemon-reload`, and in the cgroup's files, which take values that a
// property rounds or does not have.

#include <string>
#include <string_view>
#include <vector>

#include "knarr/cgroup_manager.h"
#include "platform/host_facts.h"
#include "runtime/launch/plan.h"
#include "spec/runtime_config.h"

namespace knarr::runtime::native {

struct UnitOptions {
    std::string id;
    std::string root;          // of states: tells our units from those of another knarr
    bool rootless = false;     // the manager of the user's session
    std::string proc_devices;  // the text of /proc/devices, for DeviceAllow
};

/// The scope, and where its cgroup will be below the mount point of v2, or of any v1 hierarchy.
struct UnitPlan {
    SystemdUnit unit;
    std::string cgroup;  // "/system.slice/knarr-web.scope", with the sub cgroup if there is one
};

/// linux.cgroupsPath is "slice:prefix:name", empty parts by default as with runc: system.slice
/// (user.slice without root), knarr, the ID.
/// Errors: invalid_config, unsupported, each naming the property or annotation.
/// Source: runc docs/systemd.md; crun.1 "run.oci.systemd.subgroup".
Result<UnitPlan> plan_unit(const spec::RuntimeConfig& config,
                           const sys::HostFacts& host,
                           const UnitOptions& options);

/// What `resources` says that systemd has properties for; for `update` too.
/// Errors: invalid_config for what is no number or list.
Result<std::vector<rpc::UnitProperty>> unit_properties(const spec::Resources& resources, bool v2);

/// "a-b.slice" is "/a.slice/a-b.slice", "-.slice" is "". Errors: invalid_config for other names.
/// Source: systemd.slice(5).
Result<std::string> expand_slice(const std::string& slice);

/// Annotation org.systemd.property.NAME: a property of an allowed NAME, its value in the text form
/// of GVariant. Nothing else gets through, and the text is never part of another one.
/// Errors: invalid_config for other names (a property can start programs and other units:
/// CVE-2024-3154) and for values of another type.
Result<rpc::UnitProperty> annotated_property(std::string_view name, std::string_view value);

/// DevicePolicy and DeviceAllow for rules that only allow; "auto" where they do more than systemd
/// can say, which leaves it to the rules of our own.
std::vector<rpc::UnitProperty> device_properties(const std::vector<sys::CgroupDeviceRule>& rules,
                                                 std::string_view proc_devices);

}  // namespace knarr::runtime::native
