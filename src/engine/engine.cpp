#include "knarr/engine.h"

#include "engine/checkpoint.h"
#include "engine/destroy.h"
#include "engine/exec.h"
#include "engine/launch_failures.h"
#include "engine/new_container.h"
#include "engine/operate.h"
#include "engine/pause.h"
#include "engine/probe.h"
#include "engine/processes.h"
#include "engine/rerun.h"
#include "engine/resolve.h"
#include "engine/state_dir.h"
#include "engine/statistics.h"
#include "engine/update.h"

namespace knarr {

engine::Context engine::context_of(const StateRoot& root, const EngineOptions& options) {
    return {.root = root,
            .warn = options.warn ? options.warn : [](std::string_view) {},
            .rootless = options.rootless,
            .cgroup_manager = options.cgroup_manager,
            .before_seen = options.before_seen,
            .monitor_log = options.monitor_log,
            .about = options.about};
}

void engine::tell_about(const Context& context, std::string_view id) {
    if (context.about) {
        context.about(id);
    }
}

Engine::Engine(EngineOptions options, std::unique_ptr<engine::StateRoot> root)
    : options_(std::move(options)), root_(std::move(root)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

Result<Engine> Engine::open(EngineOptions options) {
    auto root =
        std::make_unique<engine::StateRoot>(KNARR_TRY(engine::StateRoot::open(options.root)));
    return Engine(std::move(options), std::move(root));
}

Result<> Engine::create(const BundleRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    engine::tell_about(context, request.id);
    engine::NewContainer wanted = KNARR_TRY(engine::read_request(request));
    return engine::create_container(context, std::move(wanted));
}

Result<> Engine::start(std::string_view id, const ServiceLinks& service) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::start_container(context, options_.data_root, checked, service);
}

Result<int> Engine::run(const BundleRequest& request, RunMode mode) {
    const engine::Context context = engine::context_of(*root_, options_);
    engine::tell_about(context, request.id);
    engine::NewContainer wanted = KNARR_TRY(engine::read_request(request));
    return engine::run_container(context, std::move(wanted), mode);
}

Result<ContainerInfo> Engine::state(std::string_view id) const {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::query_container(context, checked);
}

Result<std::optional<LaunchFailure>> Engine::last_failure(std::string_view text) const {
    return engine::last_failure(engine::context_of(*root_, options_), text);
}

Result<std::vector<ContainerInfo>> Engine::list() const {
    return engine::list_containers(engine::context_of(*root_, options_));
}

Result<> Engine::kill(std::string_view id, int number, KillTarget target) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    if (number < 0 || number > 64) {
        return fail(Errc::invalid_argument, "{} is no signal, 0 to 64 are", number);
    }
    KNARR_TRY(engine::note_kill(context, checked, number));
    return engine::kill_container(context, checked, number, target);
}

Result<> Engine::pause(std::string_view id) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::pause_container(context, KNARR_TRY(engine::resolve_id(context, id)));
}

Result<> Engine::resume(std::string_view id) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::resume_container(context, KNARR_TRY(engine::resolve_id(context, id)));
}

Result<> Engine::update(std::string_view id, const UpdateRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::update_container(context, KNARR_TRY(engine::resolve_id(context, id)), request);
}

Result<std::vector<int>> Engine::processes(std::string_view id) const {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::processes_of(context, KNARR_TRY(engine::resolve_id(context, id)));
}

Result<std::string> Engine::process_table(std::string_view id,
                                          const std::vector<std::string>& options) const {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::process_table(context, KNARR_TRY(engine::resolve_id(context, id)), options);
}

Result<Statistics> Engine::statistics(std::string_view id) const {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::statistics_of(context, KNARR_TRY(engine::resolve_id(context, id)));
}

Result<> Engine::watch(std::string_view id,
                       std::chrono::milliseconds interval,
                       const std::function<Result<>(const StatsSample&)>& tell,
                       int cancel_fd) const {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::watch_container(
        context, KNARR_TRY(engine::resolve_id(context, id)), interval, tell, cancel_fd);
}

Result<int> Engine::exec(std::string_view id, const ExecRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::exec_in_container(context, checked, request);
}

Result<ProbeResult> Engine::probe(std::string_view id) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::probe(context, KNARR_TRY(engine::resolve_id(context, id)));
}

Result<> Engine::checkpoint(std::string_view id, const CheckpointRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    return engine::checkpoint_container(
        context, KNARR_TRY(engine::resolve_id(context, id)), request);
}

Result<int> Engine::restore(const RestoreRequest& request) {
    const engine::Context context = engine::context_of(*root_, options_);
    engine::tell_about(context, request.id);
    return engine::restore_container(context, request);
}

Result<> Engine::remove(std::string_view id, RemoveMode mode, AnonymousVolumes volumes) {
    const engine::Context context = engine::context_of(*root_, options_);
    const ContainerId checked = KNARR_TRY(engine::resolve_id(context, id));
    return engine::remove_container(context, options_.data_root, checked, mode, volumes);
}

}  // namespace knarr
