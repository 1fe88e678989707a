#pragma once

#include <string>
#include <string_view>

#include "knarr/engine.h"
#include "platform/fd.h"

namespace knarr::engine {

/// Writes a container's root file system as a tar into a new file (0600), or to standard output
/// when `path` is empty. Volumes and what else is mounted in it are not there. A running container
/// goes on: pause it for a tar of one moment.
/// Errors: not_found; io. A file appears whole or not at all.
Result<> export_container(const EngineOptions& options,
                          std::string_view id,
                          const std::string& path);

/// The same for any tree. `path` is where to, as above.
Result<> export_tree(const sys::Fd& root, const std::string& path);

}  // namespace knarr::engine
