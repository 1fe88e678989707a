#pragma once
// Containers whose cgroups lie in those of others.

#include "engine/context.h"
#include "engine/new_container.h"

namespace knarr::engine {

/// Refuses a cgroup of a container of an image (`--cgroup-parent`) that lies in the one of another
/// container of this state directory: it would be under that one's limits, and outlive it. Bundles
/// say where they are to be (linux.cgroupsPath), as with runc and crun. Errors: invalid_argument.
Result<> refuse_nested_cgroup(const Context& context,
                              const NewContainer& wanted,
                              const runtime::LaunchPlan& plan);

}  // namespace knarr::engine
