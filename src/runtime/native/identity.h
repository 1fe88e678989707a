#pragma once
// Who the program runs as, and the limits that go with the process rather than the cgroup.

#include <string>
#include <vector>

#include "platform/host_facts.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

/// User, groups, capabilities, labels. Unknown capabilities and those that this kernel lacks are
/// warned about. Inheritable capabilities are always empty (CVE-2022-29162) but for those that
/// ambient ones need.
/// Errors: invalid_config for ambient capabilities that are not permitted, effective ones that are
/// not permitted; unsupported for a label of a security module that this host does not have.
Result<Identity> plan_identity(const spec::RuntimeConfig& config,
                               const sys::HostFacts& host,
                               bool keep_groups,
                               std::vector<std::string>& warnings);

/// process.{rlimits,scheduler,ioPriority,oomScoreAdj}, linux.{personality,memoryPolicy} as steps.
/// Errors: invalid_config for an unknown name, a value out of range, a resource named twice.
Result<std::vector<Step>> plan_process_attributes(const spec::RuntimeConfig& config);

}  // namespace knarr::runtime::native
