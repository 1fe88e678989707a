#pragma once
// The cgroups of a caller who is not the host's root: only what was delegated to it can be used.

#include <optional>
#include <string>
#include <vector>

#include "platform/host_facts.h"
#include "spec/runtime_config.h"

namespace knarr::runtime::native {

/// Does the bundle ask for something that only a cgroup can give? Device rules do not count: in a
/// user namespace no device can be opened but those that the host's files allow anyway.
bool asks_for_limits(const spec::Resources& resources);

/// The host as far as its cgroups are delegated to the caller. On v2 the container's cgroup stands
/// beside the caller's own where the cgroup above is delegated too: one that holds processes cannot
/// hand controllers down. Nothing: the container gets no cgroup of its own; where the bundle names
/// a place for it, a warning says why.
/// Errors: denied when limits are asked for, which are never left out silently.
/// Source: kernel cgroup-v2.rst "Delegation"; runc's rootless cgroupfs manager.
Result<std::optional<sys::HostFacts>> delegated_host(const spec::Linux& config,
                                                     const sys::HostFacts& host,
                                                     std::vector<std::string>& warnings);

}  // namespace knarr::runtime::native
