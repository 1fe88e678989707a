#pragma once
// attach: the caller in front of a container that runs in the background. What the program writes
// comes from its log, which a child shows (log_show.h); what is typed goes to its terminal, whose
// other side its monitor hands out (attach_door.h), or into a FIFO (background.h). The container
// does not notice how a caller leaves, nor how slowly he reads.

#include <functional>
#include <optional>
#include <string>

#include "engine/context.h"
#include "engine/new_container.h"
#include "engine/record.h"
#include "knarr/attach.h"
#include "knarr/run.h"

namespace knarr::engine {

/// The program's exit code when it has ended; nothing when the caller left by the detach keys.
/// Errors: wrong_state; unsupported for one that runs in the foreground of another knarr, and for
/// one without terminal and log; interrupted by a signal that is not passed on.
Result<std::optional<int>> attach(const Context& context,
                                  const ContainerId& id,
                                  const AttachRequest& request);

/// Starts one in the background with these ends; its ID.
using LaunchAttached = std::function<Result<std::string>(AttachedEnds)>;
/// Has `launch` start what was asked for, with the caller in front of it from its first byte on.
/// Errors: those of `launch` and attach.
Result<std::optional<int>> run_attached(const Context& context,
                                        const RunRequest& request,
                                        const AttachRequest& attach,
                                        const LaunchAttached& launch);

/// Runs an image in the background with the caller in front of it from its first byte on.
/// Errors: those of run_image_in_background and attach.
Result<std::optional<int>> run_image_attached(const Context& context,
                                              const std::string& data_root,
                                              const RunRequest& request,
                                              const AttachRequest& attach,
                                              const Limits& limits,
                                              const PullProgressFn& progress);

/// The same for start_container; one that runs already is attached to.
Result<std::optional<int>> start_attached(const Context& context,
                                          const std::string& data_root,
                                          const ContainerId& id,
                                          const AttachRequest& request);

}  // namespace knarr::engine
