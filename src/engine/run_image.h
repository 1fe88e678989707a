#pragma once
// `knarr run IMAGE`: from a reference to a running container, by the same way as a bundle.
//
//   RunRequest -> image (stored, or pulled) -> user from the image's own files -> Bundle with safe
//   defaults -> NewContainer -> run_container

#include <string>

#include "core/limits.h"
#include "engine/context.h"
#include "engine/new_container.h"
#include "knarr/run.h"

namespace knarr::engine {

/// Runs an image in the foreground; the exit code of its program.
/// Errors: those of pulling and of Engine::run; already_exists for a name that is taken;
/// invalid_argument for a volume source that is not there.
Result<int> run_image(const Context& context,
                      const std::string& data_root,
                      const RunRequest& request,
                      const Limits& limits,
                      const PullProgressFn& progress);

/// The same in the background, under a monitor; the container's ID, when its program runs.
Result<std::string> run_image_in_background(const Context& context,
                                            const std::string& data_root,
                                            const RunRequest& request,
                                            const Limits& limits,
                                            const PullProgressFn& progress,
                                            AttachedEnds attached = {});

/// Makes the container alone, for `start`; its ID.
Result<std::string> create_from_image(const Context& context,
                                      const std::string& data_root,
                                      const RunRequest& request,
                                      const Limits& limits,
                                      const PullProgressFn& progress);

}  // namespace knarr::engine
