#pragma once
// A new container's ID and its record, before anything else of it exists.

#include "engine/context.h"
#include "engine/new_container.h"
#include "engine/record.h"
#include "platform/cgroup.h"
#include "runtime/launch/plan.h"

namespace knarr::engine {

/// The container's record before anything of it exists.
Record make_record(const NewContainer& wanted, const runtime::LaunchPlan& plan);

/// A cgroup's directories, without what is written there.
sys::CgroupPlan place_only(const sys::CgroupPlan& plan);

/// Takes the ID, and with it the place of a create that was killed. Errors: already_exists.
Result<LockedDir> take_id(const Context& context, const ContainerId& id);

}  // namespace knarr::engine
