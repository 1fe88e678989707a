#pragma once
// What the verbs that prune share.

#include <cstdint>
#include <string>

#include "cli/prune_filter.h"
#include "cli/verb.h"
#include "knarr/engine.h"

namespace knarr::cli {

struct Pruned {
    std::string text;         ///< docker's list, with its heading; empty: nothing went
    std::uint64_t bytes = 0;  ///< where that is known
    Result<> failure;         ///< the first one
};

/// Removes the containers of images that do not run and fit. Errors: those of the filter.
Result<Pruned> prune_containers(Engine& engine, const PruneFilter& filter);
/// What --filter says, as of now. Errors: invalid_argument.
Result<PruneFilter> prune_filter(const Parsed& args, PruneKeys keys = {});
/// Which images go: with `all` those with names, too.
PruneRequest images_to_prune(const PruneFilter& filter, bool all);
/// A line for each name and each image that went, as docker has it; empty: nothing went.
std::string removed_images_text(const PrunedImages& pruned);
/// Removes the volumes that no container has: anonymous ones, with `all` named ones, too.
Result<Pruned> prune_volumes(Context& context, const PruneFilter& filter, bool all);

}  // namespace knarr::cli
