#pragma once
// checkpoint and restore: a container into files and back, by CRIU (criu.h).

#include "engine/context.h"
#include "knarr/checkpoint.h"

namespace knarr::engine {

/// Errors: see Engine::checkpoint.
Result<> checkpoint_container(const Context& context,
                              const ContainerId& id,
                              const CheckpointRequest& request);
/// Errors: see Engine::restore.
Result<int> restore_container(const Context& context, const RestoreRequest& request);

}  // namespace knarr::engine
