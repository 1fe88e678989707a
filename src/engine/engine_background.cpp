// The methods of Engine that are about containers in the background.

#include "engine/attach.h"
#include "engine/context.h"
#include "engine/event_log.h"
#include "engine/inspect.h"
#include "engine/logs.h"
#include "engine/names.h"
#include "engine/policy.h"
#include "engine/recover.h"
#include "engine/rerun.h"
#include "engine/resolve.h"
#include "engine/run_image.h"
#include "engine/stop.h"
#include "knarr/engine.h"

namespace knarr {

Result<std::string> Engine::run_image_in_background(const RunRequest& request,
                                                    const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    return engine::run_image_in_background(engine::context_of(*root_, options_),
                                           options_.data_root,
                                           engine::with_driver(request, options_),
                                           limits,
                                           progress);
}

Result<std::string> Engine::create_from_image(const RunRequest& request,
                                              const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    return engine::create_from_image(engine::context_of(*root_, options_),
                                     options_.data_root,
                                     engine::with_driver(request, options_),
                                     limits,
                                     progress);
}

Result<std::optional<int>> Engine::run_image_attached(const RunRequest& request,
                                                      const AttachRequest& attach,
                                                      const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    return engine::run_image_attached(engine::context_of(*root_, options_),
                                      options_.data_root,
                                      engine::with_driver(request, options_),
                                      attach,
                                      limits,
                                      progress);
}

Result<std::optional<int>> Engine::attach(std::string_view id, const AttachRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::attach(context, KNARR_TRY(engine::resolve_id(context, id)), request);
}

Result<std::optional<int>> Engine::start_attached(std::string_view id,
                                                  const AttachRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::start_attached(context, options_.data_root, checked, request);
}

Result<> Engine::stop(std::string_view id, const StopRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::stop_container(context, KNARR_TRY(engine::resolve_id(context, id)), request);
}

std::vector<Result<>> Engine::stop_all(std::span<const std::string> ids,
                                       const StopRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    std::vector<Result<ContainerId>> checked;
    checked.reserve(ids.size());
    for (const std::string& id : ids) {
        checked.push_back(engine::resolve_id(context, id));
    }
    return engine::stop_containers(context, checked, request);
}

Result<std::optional<int>> Engine::wait(std::string_view id, int cancel_fd) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::await_end(context, checked, nullptr, cancel_fd);
}

Result<> Engine::logs(std::string_view id, const LogRequest& request, const LogSink& sink) const {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::read_logs(context, KNARR_TRY(engine::resolve_id(context, id)), request, sink);
}

Result<> Engine::restart(std::string_view id, const StopRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::restart_container(context, options_.data_root, checked, request);
}

Result<> Engine::events(const EventRequest& request, const EventSink& sink) const {
    return engine::read_events(engine::context_of(*root_, options_), request, sink);
}

Result<std::vector<UpkeepStep>> Engine::recover(bool force) {
    const auto recovery = force ? engine::Recovery::force : engine::Recovery::gentle;
    return engine::recover(engine::context_of(*root_, options_), options_.data_root, recovery);
}

Result<std::vector<UpkeepStep>> Engine::clean_up(const CleanupRequest& request) {
    return engine::clean_up(engine::context_of(*root_, options_), options_.data_root, request);
}

Result<std::vector<UpkeepStep>> Engine::shut_down(std::chrono::seconds timeout, int cancel_fd) {
    return engine::shut_down(engine::context_of(*root_, options_), timeout, cancel_fd);
}

Result<> Engine::set_restart_policy(std::string_view id, const RestartPolicy& policy) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::change_restart_policy(
        context, KNARR_TRY(engine::resolve_id(context, id)), policy);
}

Result<> Engine::rename(std::string_view id, const std::string& name) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::rename_container(context, checked, name);
}

Result<std::string> Engine::inspect(std::string_view id, Sizes sizes) const {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::inspect_container(context, checked, sizes);
}

}  // namespace knarr
