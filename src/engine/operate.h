#pragma once
// The verbs on containers that exist, but delete (destroy.h): start, kill, state, list, wait.

#include <optional>
#include <vector>

#include "engine/context.h"
#include "engine/live.h"
#include "engine/new_container.h"
#include "knarr/container.h"

namespace knarr::engine {

/// Errors: see Engine::start.
Result<> start_container(const Context& context,
                         const std::string& data_root,
                         const ContainerId& id,
                         const ServiceLinks& service,
                         AttachedEnds attached = {});
/// Errors: see Engine::kill.
Result<> kill_container(const Context& context,
                        const ContainerId& id,
                        int signal,
                        KillTarget target);
/// The same for the first process of the run that was seen, and of no later one.
Result<> kill_seen(const Seen& seen, int signal);
/// What is told of a container that was looked at; where it should have a monitor and has none, it
/// gets one.
ContainerInfo describe_watched(const Context& context, const ContainerId& id, const Seen& seen);
/// Errors: see Engine::state.
Result<ContainerInfo> query_container(const Context& context, const ContainerId& id);
Result<std::vector<ContainerInfo>> list_containers(const Context& context);
/// Errors: see Engine::wait.
Result<std::optional<int>> wait_container(const Context& context,
                                          const ContainerId& id,
                                          int cancel_fd);

}  // namespace knarr::engine
