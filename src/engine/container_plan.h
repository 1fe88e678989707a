#pragma once
// What launching a container takes on this host, as a plan: nothing is made.

#include <optional>
#include <string>

#include "engine/console.h"
#include "engine/context.h"
#include "engine/new_container.h"
#include "runtime/launch/plan.h"

namespace knarr::engine {

/// What a plan needs to know of where and for whom a container is made.
struct PlanScope {
    std::string root;  ///< the state directory; it need not be there
    std::optional<bool> rootless;
    CgroupManager cgroup_manager = CgroupManager::cgroupfs;
};

/// The plan of the bundle on this host.
/// Errors: invalid_config, unsupported, denied: what a launch would fail of.
Result<runtime::LaunchPlan> plan_container(const PlanScope& scope,
                                           const NewContainer& wanted,
                                           ConsoleWay way);
Result<runtime::LaunchPlan> plan_container(const Context& context,
                                           const NewContainer& wanted,
                                           ConsoleWay way);

}  // namespace knarr::engine
