#pragma once
// update: new limits of a container that runs.

#include "engine/context.h"
#include "knarr/update.h"

namespace knarr::engine {

/// Errors: see Engine::update.
Result<> update_container(const Context& context,
                          const ContainerId& id,
                          const UpdateRequest& request);

}  // namespace knarr::engine
