#pragma once
// A container that runs again by its restart policy (restart.h): what its monitor does about it.
// The launch itself is made by a program of its own, knarr-monitor again ROOT ID, so that the
// monitor stays small; it makes new monitors, and the one that waited leaves.

#include <optional>

#include "engine/context.h"
#include "engine/record.h"

namespace knarr::engine {

inline constexpr const char* kAgainWord = "again";

/// Launches a container whose pause is over. One that is to stay down, or is gone, is no error.
Result<> rerun(const Context& context, const ContainerId& id);

/// After an attempt to launch it that may have been killed anywhere: what it left goes, and the
/// policy says what comes next.
Result<> settle_launch(const Context& context, const ContainerId& id);

/// When it is to be launched, of steady_ms(); nothing when it is not to be, or is gone.
std::optional<std::int64_t> due_of(const Context& context, const ContainerId& id);

/// Notes that somebody wants it down, before it is told so. True: it was about to run again.
/// Errors: not_found.
Result<bool> note_stop(const Context& context, const ContainerId& id, StoppedBy who);

/// The same for a signal that somebody sends: KILL and its stop signal count, as docker has it.
Result<> note_kill(const Context& context, const ContainerId& id, int signal);

/// Errors: unsupported for a container without a monitor.
Result<> change_restart_policy(const Context& context,
                               const ContainerId& id,
                               const RestartPolicy& policy);

}  // namespace knarr::engine
