#pragma once
// What a start would do, without doing it.

#include <string>

#include "knarr/engine.h"
#include "runtime/launch/plan.h"

namespace knarr::engine {

struct PlanRequest {
    std::string subject;  ///< the directory of a bundle, or the name of a stored image
    /// What else could be an image's name is a bundle's directory.
    bool is_bundle = false;
    std::string id = "plan";
    bool no_pivot = false, no_new_keyring = false;
    Isolation isolation = Isolation::native;
};

/// The plan of a bundle, or of a stored image with the default options, on this host. Opens no
/// state directory and makes nothing. Its warnings are told by options.warn, too.
/// Errors: those of create, or of run_image up to the launch, saying "as bundle" or "as image".
Result<runtime::LaunchPlan> plan_launch(const EngineOptions& options, const PlanRequest& request);

}  // namespace knarr::engine
