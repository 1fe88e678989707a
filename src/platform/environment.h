#pragma once
// The caller's environment, kept from others who may look at our processes.

namespace knarr::sys {

/// Moves the environment to where /proc/PID/environ does not show it. Processes that are cloned
/// from ours can be seen by a container's programs, and what the caller has in its environment
/// (credentials of registries, of clouds) is none of their business. For main(): no pointer that
/// getenv gave before stays valid.
void hide_environment();

/// Wipes it from this process's memory, wherever it is; from here on there is none. For a child
/// that shall not need it again: who may trace it may read all of its memory.
void forget_environment();

}  // namespace knarr::sys
