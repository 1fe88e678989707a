#pragma once
// Who the program runs as, and the limits that go with the process rather than the cgroup.

#include <string>
#include <vector>

#include "platform/host_facts.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

/// User, groups, capabilities, labels. Capabilities that are unknown, that this kernel lacks, that
/// the launcher does not have or that the kernel's rules exclude (effective but not permitted,
/// ambient but not permitted and inheritable) are left out with a warning.
/// Errors: invalid_config for a umask out of range; unsupported for a label of a security module
/// that this host does not have, for groups that cannot be set.
Result<Identity> plan_identity(const spec::RuntimeConfig& config,
                               const sys::HostFacts& host,
                               bool keep_groups,
                               std::vector<std::string>& warnings);

/// process.{rlimits,scheduler,ioPriority,oomScoreAdj}, linux.{personality,memoryPolicy} as steps.
/// Errors: invalid_config for an unknown name, a value out of range, a resource named twice.
Result<std::vector<Step>> plan_process_attributes(const spec::RuntimeConfig& config);

}  // namespace knarr::runtime::native
