#pragma once
// One probe of a container's health check (health.h): its program is run as `exec` would run it,
// its result kept, and done what is to be done about a container that is unhealthy. The monitor has
// it made by a program of its own, knarr-monitor probe ROOT ID, and so stays small.

#include "engine/context.h"
#include "knarr/health.h"

namespace knarr::engine {

inline constexpr const char* kProbeWord = "probe";

/// Errors: unsupported for a container without a health check; wrong_state when it does not run, or
/// somebody else probes it just now.
Result<ProbeResult> probe(const Context& context, const ContainerId& id);

}  // namespace knarr::engine
