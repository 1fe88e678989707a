#pragma once
// Containers of images that `create` made, and that no `start` has run yet.

#include "engine/live.h"
#include "engine/states.h"

namespace knarr::engine {

/// Whether it is of an image and has not run yet: `create` made it, or it is just being made.
bool never_ran(const Record& record);

/// What the state becomes, as next_state of states.h, which knows none that has not run yet.
Result<After> next_state(const Record& record, const Live& live, Transition transition);

}  // namespace knarr::engine
