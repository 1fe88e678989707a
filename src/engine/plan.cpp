#include "engine/plan.h"

#include <fcntl.h>

#include "bundle/read.h"
#include "core/text.h"
#include "engine/policy.h"
#include "engine/run_image.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "runtime/runtime.h"

namespace knarr::engine {

namespace {

/// A directory is a bundle; anything else that has no path in it is an image's name.
Result<bundle::Bundle> read_subject(const EngineOptions& options, const PlanRequest& request) {
    const std::string& name = request.subject;
    const bool path = request.is_bundle || name.starts_with('/') || name.starts_with('.');
    if (path || sys::open_path(name, O_PATH | O_DIRECTORY)) {
        return KNARR_TRY(bundle::read_bundle(name), "as bundle");
    }
    RunRequest run;
    run.image = name;
    run.pull = PullPolicy::never;
    const Limits limits = KNARR_TRY(limits_of_policy(options.policy));
    return KNARR_TRY(
        bundle_of_image(options.data_root, run, limits), "as image {}", printable(name));
}

}  // namespace

Result<runtime::LaunchPlan> plan_launch(const EngineOptions& options, const PlanRequest& request) {
    const ContainerId id = KNARR_TRY(ContainerId::parse(request.id));
    bundle::Bundle bundle = KNARR_TRY(read_subject(options, request));
    bundle.isolation = request.isolation;
    const runtime::Kind* kind = KNARR_TRY(runtime::select(bundle.isolation));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    // Planned as for a caller that receives the terminal, where the bundle wants one.
    const bool terminal = bundle.config.process && bundle.config.process->terminal;
    runtime::LaunchPlan plan = KNARR_TRY(kind->plan(bundle,
                                                    host,
                                                    {.id = id.text(),
                                                     .no_pivot = request.no_pivot,
                                                     .no_new_keyring = request.no_new_keyring,
                                                     .rootless = options.rootless,
                                                     .console_socket = terminal,
                                                     .cgroup_manager = options.cgroup_manager,
                                                     .root = options.root,
                                                     .proc_devices = sys::probe_device_names()}),
                                         "plan {}",
                                         printable(request.subject));
    if (options.warn) {
        for (const std::string& warning : plan.warnings) {
            options.warn(warning);
        }
    }
    return plan;
}

}  // namespace knarr::engine
