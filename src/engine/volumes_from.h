#pragma once
// --volumes-from: what another container has mounted from the host and from volumes.

#include "engine/context.h"
#include "knarr/run.h"

namespace knarr::engine {

/// Adds the volumes and host directories of the containers that the request names, but for places
/// where it has something itself, other than an anonymous volume. Errors: not_found; unsupported
/// for one of a bundle.
Result<> add_volumes_from(const Context& context,
                          const std::string& data_root,
                          RunRequest& request);

}  // namespace knarr::engine
