#pragma once

#include <string_view>

#include "core/limits.h"
#include "knarr/engine.h"
#include "knarr/image.h"
#include "knarr/result.h"

namespace knarr::engine {

/// The bounds of the policy of that name. Errors: invalid_argument.
Result<Limits> limits_of_policy(std::string_view name);

/// Whether a snapshot driver has this name; empty means as found.
/// Errors: invalid_argument.
Result<> check_snapshot_driver(std::string_view name);

/// The options with the engine's driver where they choose none.
PullOptions with_driver(PullOptions options, const EngineOptions& engine);
/// The same of the image that is run.
RunRequest with_driver(RunRequest request, const EngineOptions& engine);

}  // namespace knarr::engine
