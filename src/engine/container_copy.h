#pragma once
// cp: files into a container and out of it. Paths of the container are resolved in its root, its
// links included, so that neither an image nor a program in it leads anywhere else.

#include <string>

#include "engine/context.h"

namespace knarr::engine {

struct CopyRequest {
    std::string container;  ///< ID or name
    std::string inside;     ///< path in it; relative ones begin at its root
    std::string outside;    ///< path of the caller's; "-": a tar on stdin or stdout
    bool into = false;      ///< from outside into the container
    bool keep_owner = false;
    bool follow_link = false;  ///< copy what a link at the end of the source leads to
};

/// Errors: not_found for a source that is not there, with docker's rules for what the destination
/// may be: invalid_argument, naming it.
Result<> copy(const EngineOptions& options, const CopyRequest& request);

}  // namespace knarr::engine
