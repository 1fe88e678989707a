#pragma once
// update: new limits for a container; one of an image keeps them for its later runs, and may have
// ended or not have run yet.

#include "engine/context.h"
#include "knarr/update.h"

namespace knarr::engine {

/// Errors: see Engine::update.
Result<> update_container(const Context& context,
                          const ContainerId& id,
                          const UpdateRequest& request);

}  // namespace knarr::engine
