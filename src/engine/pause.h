#pragma once
// pause and resume: the container's cgroup, frozen and thawed. The record does not say so; whether
// a container is paused, the kernel alone knows, and so it does not matter who paused it.

#include "engine/context.h"

namespace knarr::engine {

/// Errors: see Engine::pause.
Result<> pause_container(const Context& context, const ContainerId& id);
/// Errors: see Engine::resume.
Result<> resume_container(const Context& context, const ContainerId& id);

}  // namespace knarr::engine
