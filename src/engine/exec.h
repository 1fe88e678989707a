#pragma once
// A further process in a running container.

#include "engine/context.h"
#include "knarr/exec.h"
#include "knarr/types.h"

namespace knarr::engine {

/// Errors: see Engine::exec.
Result<int> exec_in_container(const Context& context,
                              const ContainerId& id,
                              const ExecRequest& request);

}  // namespace knarr::engine
