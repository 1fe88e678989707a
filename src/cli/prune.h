#pragma once
// What `container prune`, `volume prune` and `system prune` share.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/container_filter.h"
#include "cli/verb.h"
#include "cli/volume_filter.h"
#include "knarr/engine.h"

namespace knarr::cli {

struct Pruned {
    std::string text;         ///< docker's list, with its heading; empty: nothing went
    std::uint64_t bytes = 0;  ///< where that is known
    Result<> failure;         ///< the first one
};

/// Removes the containers of images that do not run and fit. Errors: those of the filter.
Result<Pruned> prune_containers(Engine& engine, const ContainerFilter& filter);
/// What --filter calls the age of what goes.
inline constexpr std::string_view kUntilFilter = "until=";
/// Whether an image was made so long ago: "24h". Errors: invalid_argument.
Result<std::function<bool(const ImageSummary&)>> made_before(std::string_view age);
/// A line for each name and each image that went, as docker has it; empty: nothing went.
std::string removed_images_text(const PrunedImages& pruned);
/// Removes the volumes that no container has: anonymous ones, with `all` named ones, too.
Result<Pruned> prune_volumes(Context& context, const std::vector<VolumeFilter>& filters, bool all);

}  // namespace knarr::cli
