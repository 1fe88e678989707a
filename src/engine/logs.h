#pragma once
// Reading a container's log (log_store.h). Readers take nothing from the writer and do not slow it
// down: one that is too slow for the rotation is told what it has missed.

#include "engine/context.h"
#include "knarr/logs.h"

namespace knarr::engine {

/// Errors: see Engine::logs.
Result<> read_logs(const Context& context,
                   const ContainerId& id,
                   const LogRequest& request,
                   const LogSink& sink);

}  // namespace knarr::engine
