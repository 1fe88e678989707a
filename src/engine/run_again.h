#pragma once
// A container of an image that has ended runs again, in the background.

#include <string>

#include "engine/context.h"
#include "engine/live.h"
#include "engine/new_container.h"

namespace knarr::engine {

/// Runs a container of an image again that has ended, in the background. One that cannot be stays
/// as it was.
Result<> run_again(const Context& context,
                   const std::string& data_root,
                   Held held,
                   AttachedEnds attached = {});
/// The same by the one that ran it last: its cgroup manager, its privileges, its data root.
Result<> run_as_before(const Context& context, Held held);

}  // namespace knarr::engine
