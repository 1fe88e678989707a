#pragma once
// cp: files into a container and out of it. Paths of the container are resolved in its root, its
// links included, so that neither an image nor a program in it leads anywhere else.

#include <string>

#include "engine/context.h"
#include "knarr/files.h"

namespace knarr::engine {

using knarr::CopyRequest;

/// Errors: not_found for a source that is not there, with docker's rules for what the destination
/// may be: invalid_argument, naming it.
Result<> copy(const EngineOptions& options, const CopyRequest& request);

}  // namespace knarr::engine
