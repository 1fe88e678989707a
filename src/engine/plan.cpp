#include "engine/plan.h"

#include "core/text.h"
#include "engine/container_plan.h"
#include "engine/image_record.h"
#include "engine/policy.h"
#include "engine/prepare_image.h"
#include "engine/volumes_from.h"
#include "platform/task.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

/// The container that run_image would launch; nothing is made. Errors: those of run_image up to
/// the launch, but for a name that is taken.
Result<NewContainer> container_of_image(const EngineOptions& options,
                                        RunRequest request,
                                        const Limits& limits) {
    KNARR_TRY(settle(options.cgroup_manager, request));
    const std::string data_root = KNARR_TRY(sys::absolute(options.data_root));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const store::Lease lease = KNARR_TRY(store.lease());
    if (!request.volumes_from.empty()) {
        const StateRoot states = KNARR_TRY(StateRoot::open(options.root));
        KNARR_TRY(add_volumes_from(context_of(states, options), data_root, request));
    }
    const Prepared prepared = KNARR_TRY(prepare(store, lease, data_root, request, limits, {}));
    NewContainer wanted = KNARR_TRY(new_container_of(prepared, request));
    for (const std::string& warning : prepared.made.warnings) {
        options.warn(warning);
    }
    return wanted;
}

/// The container that run would make, as far as its plan needs it.
Result<NewContainer> read_subject(const EngineOptions& options, const PlanRequest& request) {
    if (const auto* bundle = std::get_if<BundleRequest>(&request.subject)) {
        return KNARR_TRY(read_request(*bundle), "as bundle {}", printable(bundle->bundle));
    }
    RunRequest run = std::get<RunRequest>(request.subject);
    const std::string name = run.image;
    run.pull = PullPolicy::never;
    for (VolumeRequest& volume : run.volumes) {
        volume.make_source = false;  // a plan makes nothing
    }
    const Limits limits = KNARR_TRY(limits_of_policy(options.policy));
    NewContainer wanted = KNARR_TRY(
        container_of_image(options, std::move(run), limits), "as image {}", printable(name));
    wanted.id = KNARR_TRY(ContainerId::parse(request.id));
    wanted.image = name;  // as it was typed, for messages
    return wanted;
}

}  // namespace

Result<runtime::LaunchPlan> plan_launch(const EngineOptions& options, const PlanRequest& request) {
    EngineOptions telling = options;
    if (!telling.warn) {
        telling.warn = [](std::string_view) {};
    }
    const NewContainer wanted = KNARR_TRY(read_subject(telling, request));
    // Planned as for a caller that receives the terminal, where one is wanted.
    const bool terminal = wanted.bundle.config.process && wanted.bundle.config.process->terminal;
    const PlanScope scope{.root = options.root,
                          .rootless = options.rootless,
                          .cgroup_manager = options.cgroup_manager};
    runtime::LaunchPlan plan =
        KNARR_TRY(plan_container(scope, wanted, terminal ? ConsoleWay::relay : ConsoleWay::none),
                  "plan {}",
                  wanted.image.empty() ? wanted.bundle.directory : printable(wanted.image));
    for (const std::string& warning : plan.warnings) {
        telling.warn(warning);
    }
    return plan;
}

}  // namespace knarr::engine
