#pragma once
// Ending containers by their stop signal, and learning how they ended.
//
// `knarr stop` on one page: cli/stop.cpp -> Engine::stop -> stop_container(): the signal, then the
// process's pidfd until it ends or the time is up, then SIGKILL; then await_end(): the monitor (or
// the `knarr run` in the foreground) records the end, and where there is neither, we do.

#include <chrono>
#include <optional>
#include <span>
#include <vector>

#include "engine/context.h"
#include "engine/live.h"
#include "knarr/container.h"

namespace knarr::engine {

/// Sends the signal to the run that was seen, and SIGKILL when its time is up; returns when its end
/// is recorded. False: it did not run. Its restart policy holds: stop_container() is what somebody
/// asks for. Errors: see Engine::stop.
Result<bool> end_container(const Context& context,
                           const ContainerId& id,
                           const Seen& seen,
                           const StopRequest& request);

/// Errors: see Engine::stop.
Result<> stop_container(const Context& context, const ContainerId& id, const StopRequest& request);

/// Side by side: all are sent their signals before the end of one is waited for. In the order of
/// `ids`.
std::vector<Result<>> stop_containers(const Context& context,
                                      std::span<const Result<ContainerId>> ids,
                                      const StopRequest& request);

/// Errors: see Engine::restart.
Result<> restart_container(const Context& context,
                           const std::string& data_root,
                           const ContainerId& id,
                           const StopRequest& request);

/// Waits until the container has ended and its record says so, or it is removed; its exit code,
/// nothing where nobody knows it. With `process`, of its first process, that run's; it may be
/// removed then already. Errors: not_found; interrupted when `cancel_fd` (-1: none) is readable.
Result<std::optional<int>> await_end(const Context& context,
                                     const ContainerId& id,
                                     const sys::Fd* process = nullptr,
                                     int cancel_fd = -1);

}  // namespace knarr::engine
