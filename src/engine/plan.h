#pragma once
// What a start would do, without doing it.

#include <string>
#include <variant>

#include "knarr/engine.h"
#include "runtime/launch/plan.h"

namespace knarr::engine {

struct PlanRequest {
    /// What Engine::run or Engine::run_image would be asked for. An image that is not stored is not
    /// pulled.
    std::variant<BundleRequest, RunRequest> subject;
    std::string id = "plan";  ///< of a container of an image; a bundle's request has its own
};

/// The plan of what run would do on this host. Makes nothing, and opens the state directory only
/// where another container is named (--volumes-from). Its warnings are told by options.warn, too.
/// Errors: those of create, or of run_image up to the launch, saying "as bundle" or "as image".
Result<runtime::LaunchPlan> plan_launch(const EngineOptions& options, const PlanRequest& request);

}  // namespace knarr::engine
