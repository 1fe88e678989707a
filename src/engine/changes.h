#pragma once
// diff: what a container of an image has in its own layer.

#include <string>
#include <vector>

#include "engine/context.h"

namespace knarr::engine {

struct Change {
    char kind = 'C';   // A added, C changed, D deleted
    std::string path;  // absolute, in the container
};

/// By path. What was made alone for something to be mounted on is left out.
/// Errors: not_found; unsupported for a container of a bundle, which has no layer of its own.
Result<std::vector<Change>> changes_of(const EngineOptions& options, std::string_view id);

}  // namespace knarr::engine
