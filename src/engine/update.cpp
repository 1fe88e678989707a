#include "engine/update.h"

#include "engine/event_log.h"
#include "engine/kept_limits.h"
#include "engine/live.h"
#include "engine/never_ran.h"
#include "platform/cgroup_files.h"
#include "platform/host_facts.h"
#include "rpc/systemd.h"
#include "runtime/native/cgroup_plan.h"
#include "runtime/native/systemd_unit.h"
#include "runtime/native/update_plan.h"
#include "spec/resources.h"

namespace knarr::engine {

namespace {

Result<spec::Resources> resources_of(const UpdateRequest& request) {
    if (!request.resources_json.empty()) {
        return spec::decode_resources(request.resources_json, "resources");
    }
    spec::Resources out;
    if (request.memory_bytes || request.memory_reservation || request.memory_swap ||
        request.kernel_memory_tcp) {
        out.memory.emplace();
        out.memory->limit = request.memory_bytes;
        out.memory->reservation = request.memory_reservation;
        out.memory->swap = request.memory_swap;
        out.memory->kernel_tcp = request.kernel_memory_tcp;
    }
    spec::CpuLimits& cpu = out.cpu.emplace();
    cpu.shares = request.cpu_shares;
    cpu.quota = request.cpu_quota_us;
    cpu.burst = request.cpu_burst_us;
    cpu.period = request.cpu_period_us;
    cpu.realtime_runtime = request.realtime_runtime_us;
    cpu.realtime_period = request.realtime_period_us;
    cpu.cpus = request.cpuset_cpus;
    cpu.mems = request.cpuset_mems;
    cpu.idle = request.cpu_idle;
    out.pids_limit = request.pids_limit;
    if (request.block_io_weight) {
        out.block_io.emplace().weight = request.block_io_weight;
    }
    return out;
}

}  // namespace

Result<> update_container(const Context& context,
                          const ContainerId& id,
                          const UpdateRequest& request) {
    spec::Resources wanted = KNARR_TRY(resources_of(request));
    KNARR_TRY(runtime::native::check_bounds(wanted), "container {}", id.text());
    const Held held = KNARR_TRY(hold(context, id));
    if (held.record.life) {
        KNARR_TRY(check_image_limits(wanted), "container {}", id.text());
    }
    if (held.record.life && request.pids_limit == 0) {
        wanted.pids_limit = -1;  // docker's 0; that of a bundle's resources leaves one process
    }
    const bool ended = held.live.state == ContainerState::stopped;
    if (held.record.life && ended && held.record.status != ContainerState::creating) {
        // docker's: they hold from its next start on.
        KNARR_TRY(keep_limits(held.record, wanted, Check::limits), "container {}", id.text());
        note_event(context, held.record, "update");
        return {};
    }
    KNARR_TRY(next_state(held.record, held.live, Transition::update));
    if (!held.record.cgroup) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} has no cgroup of its own, and with "
                                                 "it no limits",
                                                 id.text()),
                          .hint = "as an ordinary user, have a cgroup delegated (systemd-run "
                                  "--user --scope -p Delegate=yes knarr ...)"});
    }
    const sys::CgroupFiles files(*held.record.cgroup);
    const runtime::native::LimitsInForce now = runtime::native::limits_in_force(
        [&](const char* controller, const char* file) { return files.read(controller, file); },
        files.v2());
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    std::vector<std::string> warnings;
    const spec::Resources for_unit = runtime::native::completed(wanted, now);
    // Before the cgroup's files are final: where this fails, they are put back.
    const auto keep = [&] { return keep_limits(held.record, for_unit, Check::nothing); };
    const sys::CgroupPlan plan = KNARR_TRY(
        runtime::native::plan_update(std::move(wanted), now, host, *held.record.cgroup, warnings),
        "container {}",
        id.text());
    for (const std::string& warning : warnings) {
        context.warn(warning);
    }
    if (!held.record.unit) {
        KNARR_TRY(sys::update_cgroup(plan, keep), "container {}", id.text());
        note_event(context, held.record, "update");
        return {};
    }
    // systemd puts its own idea of the limits back at the next `systemctl daemon-reload`.
    std::vector<rpc::UnitProperty> properties = KNARR_TRY(
        runtime::native::unit_properties(for_unit, files.v2()), "container {}", id.text());
    const rpc::UnitName& unit = *held.record.unit;
    rpc::Systemd systemd = KNARR_TRY(rpc::Systemd::connect(unit.bus), "container {}", id.text());
    const auto tell = [&]() -> Result<> {
        KNARR_TRY(systemd.set_properties(unit.name, std::move(properties)));
        return keep();
    };
    KNARR_TRY(sys::update_cgroup(plan, tell), "container {}", id.text());
    note_event(context, held.record, "update");
    return {};
}

}  // namespace knarr::engine
