#pragma once
// What a container uses, once or as events until it ends.

#include <chrono>
#include <functional>

#include "engine/context.h"
#include "knarr/stats.h"

namespace knarr::engine {

/// Errors: see Engine::statistics.
Result<Statistics> statistics_of(const Context& context, const ContainerId& id);

/// Errors: see Engine::watch.
Result<> watch_container(const Context& context,
                         const ContainerId& id,
                         std::chrono::milliseconds interval,
                         const std::function<Result<>(const StatsSample&)>& tell,
                         int cancel_fd);

}  // namespace knarr::engine
