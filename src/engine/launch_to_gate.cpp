#include "engine/launch_to_gate.h"

#include <csignal>
#include <optional>

#include "core/clock.h"
#include "core/fault.h"
#include "core/trace.h"
#include "engine/conclude.h"
#include "engine/container_plan.h"
#include "engine/destroy.h"
#include "engine/ending.h"
#include "engine/event_log.h"
#include "engine/handed_over.h"
#include "engine/hook_output.h"
#include "engine/kept_config.h"
#include "engine/launch_failures.h"
#include "engine/monitor_context.h"
#include "engine/names.h"
#include "engine/nested_cgroup.h"
#include "engine/new_record.h"
#include "engine/notify.h"
#include "engine/seccomp_agent.h"
#include "platform/file.h"
#include "platform/mounts_below.h"
#include "platform/network_maker.h"
#include "platform/pidfd.h"
#include "platform/task.h"

namespace knarr::engine {

namespace {

constexpr const char* kPidfdReceiver = "run.oci.pidfd_receiver";  // crun's

Result<runtime::Launched> launch(const Context& context,
                                 const LockedDir& dir,
                                 Record& record,
                                 const NewContainer& wanted,
                                 const runtime::LaunchPlan& plan,
                                 runtime::LaunchIo io,
                                 Gate gate) {
    if (record.mounts_on_host) {
        // From the record on, whatever is mounted below is the container's and goes with it.
        KNARR_TRY(sys::refuse_mounts_below(record.rootfs));
    }
    KNARR_TRY(wanted.before ? save_record(dir, record)
                            : save_named(context, dir, record, system_random()));
    trace().mark("journal the container");
    KNARR_TRY(fault_point("create.recorded"));
    if (wanted.make_data_dir) {
        KNARR_TRY(wanted.make_data_dir());
    }
    KNARR_TRY(fault_point("create.data"));
    if (!wanted.service.notify_socket.empty()) {
        KNARR_TRY(make_notify_dir(dir.fd()), "NOTIFY_SOCKET");
    }
    if (wanted.give_streams) {
        KNARR_TRY(wanted.give_streams(dir, io));
    }
    if (gate == Gate::socket) {
        io.gate_listener = KNARR_TRY(runtime::listen_gate(dir.fd(), kGateSocket));
    }
    io.lock_fd = dir.lock_fd().get();
    KNARR_TRY(fault_point("create.gate"));
    const runtime::LaunchEvents events{
        .state_json = [&](std::string_view status,
                          pid_t pid) { return hook_state(record, status, pid); },
        .meanwhile = [&]() -> Result<> {
            KNARR_TRY(keep_seccomp_agent(dir, plan.identity));
            return keep_config(dir, wanted.bundle.config, plan.identity.seccomp);
        },
        .on_placed = [&](const sys::CgroupPlan& place) { record.cgroup = place_only(place); },
        .on_created = [&](pid_t pid) -> Result<> {
            const auto stat = KNARR_TRY(sys::process_stat(pid));
            record.pid = pid;
            record.pid_start_ticks = stat ? stat->start_ticks : 0;
            KNARR_TRY(save_record(dir, record));
            trace().mark("record it");
            return fault_point("create.child");
        },
    };
    auto launched = KNARR_TRY(runtime::launch(plan, std::move(io), events));
    return launched;
}

Result<> check_handed_over(const Context& context, const NewContainer& wanted) {
    const unsigned listen = wanted.service.listen_fds;
    if (const auto missing = missing_listen_fd(listen)) {
        context.warn(fmt::format(
            "LISTEN_FDS announces {} descriptors, but {} is not open", listen, *missing));
    }
    return check_preserved_fds(wanted.preserve_fds, 3 + listen);
}

Result<PidfdReceivers> connect_receivers(const NewContainer& wanted) {
    PidfdReceivers receivers;
    KNARR_TRY(receivers.add(wanted.pidfd_socket, "pidfd socket"));
    const auto& annotations = wanted.bundle.config.annotations;
    if (const auto asked = annotations.find(kPidfdReceiver); asked != annotations.end()) {
        KNARR_TRY(receivers.add(asked->second, kPidfdReceiver));
    }
    return receivers;
}

/// Whether the network namespace can be made while all else is planned. In another user namespace
/// it would have the wrong owner.
bool wants_network_early(const bundle::Bundle& bundle) {
    if (bundle.isolation != Isolation::native || !bundle.config.linux_) {
        return false;
    }
    bool network = false;
    for (const spec::Namespace& one : bundle.config.linux_->namespaces) {
        if (one.type == spec::NamespaceType::user) {
            return false;
        }
        network = network || (one.type == spec::NamespaceType::network && one.path.empty());
    }
    return network;
}

}  // namespace

void undo_launch(const Context& context, LockedDir dir, Record record, LaunchOf what) {
    if (what == LaunchOf::a_new_one) {
        undo(context, std::move(dir), record);
        return;
    }
    if (record.status == ContainerState::running) {
        // Its program ran, until now.
        note_end(record, 128 + SIGKILL, format_time(system_clock().wall()));
        note_end_event(context, record);
    }
    Result<> ended = end_run(context, dir, record);
    if (!ended) {
        context.warn(ended.error().message);
    }
}

Result<GatedContainer> launch_to_gate(const Context& context,
                                      NewContainer& wanted,
                                      ConsoleWay way,
                                      Gate gate) {
    KNARR_TRY(check_handed_over(context, wanted));
    std::optional<sys::NetworkMaker> network;
    if (wants_network_early(wanted.bundle)) {
        network.emplace();
    }
    const runtime::LaunchPlan plan = KNARR_TRY(plan_container(context, wanted, way));
    KNARR_TRY(refuse_nested_cgroup(context, wanted, plan));
    for (const std::string& warning : plan.warnings) {
        context.warn(warning);
    }
    runtime::LaunchIo io;
    PidfdReceivers receivers = KNARR_TRY(connect_receivers(wanted));
    io.hook_output = KNARR_TRY(open_hook_output(wanted.bundle.config.annotations));
    Console console = KNARR_TRY(Console::open(way, wanted.console_socket));
    io.console_socket = console.take_socket();
    const LaunchOf what = wanted.before ? LaunchOf::one_from_before : LaunchOf::a_new_one;
    LockedDir dir =
        wanted.before ? std::move(wanted.before->dir) : KNARR_TRY(take_id(context, wanted.id));
    trace().mark("take the ID");
    Record record = make_record(wanted, plan);
    Result<runtime::Launched> launched = fail(Errc::internal, "not launched");
    if (Result<> made = fault_point("create.made"); !made) {
        launched = fail(std::move(made).error());
    } else {
        if (network) {
            io.network = network->finish();
        }
        launched = launch(context, dir, record, wanted, plan, std::move(io), gate);
    }
    Result<> ready = launched ? fault_point("create.ready") : Result<>{};
    if (launched && ready) {
        ready = receivers.send(launched->pidfd);
    }
    if (launched && ready && !wanted.pid_file.empty()) {
        ready = write_pid_file(wanted.pid_file, launched->pid);
    }
    if (!launched || !ready) {
        const bool stands = launched.has_value();
        Error error = stands ? std::move(ready).error() : std::move(launched).error();
        if (!stands) {
            record.pid = 0;  // launch() has ended the child and removed the cgroup that it made;
            record.cgroup.reset();  // one that it did not make is not ours to remove
            record.unit.reset();
            record.resctrl.reset();
        }
        undo_launch(context, std::move(dir), record, what);
        note_failure(context, record, error);
        return fail(std::move(error));
    }
    return GatedContainer{.dir = std::move(dir),
                          .record = std::move(record),
                          .launched = std::move(*launched),
                          .console = std::move(console),
                          .pid_file = wanted.pid_file,
                          .what = what};
}

Result<> open_gate_and_record(const Context& context, GatedContainer& gated) {
    const Record& record = gated.record;
    const runtime::ListenerAgent agent =
        KNARR_TRY(seccomp_agent(gated.dir.fd(), record, "created", record.pid));
    KNARR_TRY(runtime::open_gate(gated.launched.gate, agent));
    trace().mark("open the gate: the program runs");
    KNARR_TRY(fault_point("run.gate"));
    gated.record.status = ContainerState::running;
    gated.record.exit_code.reset();
    if (gated.what == LaunchOf::one_from_before) {
        static_cast<void>(sys::unlink_at(gated.dir.fd(), kTroubleFile));  // of earlier runs
    }
    if (gated.record.life) {
        gated.record.life->oom_killed = false;
        gated.record.life->oom_text.clear();
        gated.record.life->started = format_time(system_clock().wall());
        step(gated.record.life->restart, {.kind = RestartEvent::Kind::runs}, steady_ms());
    }
    KNARR_TRY(save_record(gated.dir, gated.record));
    if (gated.what == LaunchOf::a_new_one) {
        note_event(context, gated.record, "create");
    }
    note_event(context, gated.record, "start");
    return run_poststart(gated.record);
}

}  // namespace knarr::engine
