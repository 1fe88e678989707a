// The methods of Engine that are about containers in the background.

#include "engine/context.h"
#include "engine/inspect.h"
#include "engine/logs.h"
#include "engine/names.h"
#include "engine/policy.h"
#include "engine/resolve.h"
#include "engine/run_image.h"
#include "engine/stop.h"
#include "knarr/engine.h"

namespace knarr {

Result<std::string> Engine::run_image_in_background(const RunRequest& request,
                                                    const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    return engine::run_image_in_background(
        engine::context_of(*root_, options_), options_.data_root, request, limits, progress);
}

Result<> Engine::stop(std::string_view id, const StopRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::stop_container(context, KNARR_TRY(engine::resolve_id(context, id)), request);
}

Result<std::optional<int>> Engine::wait(std::string_view id) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::await_end(context, KNARR_TRY(engine::resolve_id(context, id)));
}

Result<> Engine::logs(std::string_view id, const LogRequest& request, const LogSink& sink) const {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::read_logs(context, KNARR_TRY(engine::resolve_id(context, id)), request, sink);
}

Result<> Engine::rename(std::string_view id, const std::string& name) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::rename_container(context, options_.data_root, checked, name);
}

Result<std::string> Engine::inspect(std::string_view id) const {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::inspect_container(context, options_.data_root, checked);
}

}  // namespace knarr
