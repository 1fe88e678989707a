#include "engine/container_plan.h"

#include "core/trace.h"
#include "engine/notify.h"
#include "platform/host_facts.h"
#include "platform/task.h"
#include "runtime/runtime.h"

namespace knarr::engine {

Result<runtime::LaunchPlan> plan_container(const Context& context,
                                           const NewContainer& wanted,
                                           ConsoleWay way) {
    return plan_container(PlanScope{.root = context.root.path(),
                                    .rootless = context.rootless,
                                    .cgroup_manager = context.cgroup_manager},
                          wanted,
                          way);
}

Result<runtime::LaunchPlan> plan_container(const PlanScope& scope,
                                           const NewContainer& wanted,
                                           ConsoleWay way) {
    std::optional<bundle::Bundle> changed;
    if (!wanted.service.notify_socket.empty() && wanted.bundle.config.process) {
        changed = wanted.bundle;
        const std::string source = fmt::format("{}/{}/notify", scope.root, wanted.id.text());
        add_notify(changed->config, wanted.service.notify_socket, KNARR_TRY(sys::absolute(source)));
    }
    const bundle::Bundle& bundle = changed ? *changed : wanted.bundle;
    const runtime::Kind* kind = KNARR_TRY(runtime::select(bundle.isolation));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    trace().mark("probe the host");
    const bool systemd = scope.cgroup_manager == CgroupManager::systemd;
    auto plan = kind->plan(bundle,
                           host,
                           {.id = wanted.id.text(),
                            .no_pivot = wanted.no_pivot,
                            .no_new_keyring = wanted.no_new_keyring,
                            .preserve_fds = wanted.preserve_fds,
                            .listen_fds = wanted.service.listen_fds,
                            .listen_names = wanted.service.listen_names,
                            .rootless = scope.rootless,
                            .console_socket = way != ConsoleWay::none,
                            .cgroup_manager = scope.cgroup_manager,
                            .root = scope.root,
                            .proc_devices = systemd ? sys::probe_device_names() : ""});
    trace().mark("plan");
    return plan;
}

}  // namespace knarr::engine
