#include "engine/new_container.h"

#include <algorithm>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "bundle/read.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/rollback.h"
#include "core/text.h"
#include "core/trace.h"
#include "engine/attend.h"
#include "engine/conclude.h"
#include "engine/console.h"
#include "engine/destroy.h"
#include "engine/ending.h"
#include "engine/event_log.h"
#include "engine/handed_over.h"
#include "engine/hook_output.h"
#include "engine/kept_config.h"
#include "engine/kept_limits.h"
#include "engine/launch_failures.h"
#include "engine/live.h"
#include "engine/monitor.h"
#include "engine/nested_cgroup.h"
#include "engine/notify.h"
#include "engine/record.h"
#include "engine/seccomp_agent.h"
#include "platform/cgroup.h"
#include "platform/file.h"
#include "platform/mounts_below.h"
#include "platform/network_maker.h"
#include "platform/pidfd.h"
#include "platform/signal.h"
#include "platform/task.h"
#include "runtime/launch/launch.h"
#include "runtime/runtime.h"

namespace knarr::engine {

namespace {

constexpr const char* kPidfdReceiver = "run.oci.pidfd_receiver";  // crun's

Result<ConsoleWay> console_way(const NewContainer& wanted, Stay stay) {
    const auto& process = wanted.bundle.config.process;
    return KNARR_TRY(choose_console(process && process->terminal, wanted.console_socket, stay),
                     "container {}",
                     wanted.id.text());
}

}  // namespace

Result<runtime::LaunchPlan> plan_container(const Context& context,
                                           const NewContainer& wanted,
                                           ConsoleWay way) {
    return plan_container(PlanPlace{.root = context.root.path(),
                                    .rootless = context.rootless,
                                    .cgroup_manager = context.cgroup_manager},
                          wanted,
                          way);
}

Result<runtime::LaunchPlan> plan_container(const PlanPlace& place,
                                           const NewContainer& wanted,
                                           ConsoleWay way) {
    std::optional<bundle::Bundle> changed;
    if (!wanted.service.notify_socket.empty() && wanted.bundle.config.process) {
        changed = wanted.bundle;
        const std::string source = fmt::format("{}/{}/notify", place.root, wanted.id.text());
        add_notify(changed->config, wanted.service.notify_socket, KNARR_TRY(sys::absolute(source)));
    }
    const bundle::Bundle& bundle = changed ? *changed : wanted.bundle;
    const runtime::Kind* kind = KNARR_TRY(runtime::select(bundle.isolation));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    trace().mark("probe the host");
    const bool systemd = place.cgroup_manager == CgroupManager::systemd;
    auto plan = kind->plan(bundle,
                           host,
                           {.id = wanted.id.text(),
                            .no_pivot = wanted.no_pivot,
                            .no_new_keyring = wanted.no_new_keyring,
                            .preserve_fds = wanted.preserve_fds,
                            .listen_fds = wanted.service.listen_fds,
                            .listen_names = wanted.service.listen_names,
                            .rootless = place.rootless,
                            .console_socket = way != ConsoleWay::none,
                            .cgroup_manager = place.cgroup_manager,
                            .root = place.root,
                            .proc_devices = systemd ? sys::probe_device_names() : ""});
    trace().mark("plan");
    return plan;
}

namespace {

std::string rootfs_path(const bundle::RootFs& rootfs) {
    if (const auto* dir = std::get_if<bundle::DirRoot>(&rootfs)) {
        return dir->path;
    }
    return std::get<bundle::OverlayRoot>(rootfs).merged;
}

/// A cgroup's directories, without what is written there.
sys::CgroupPlan place_only(const sys::CgroupPlan& plan) {
    sys::CgroupPlan place{.dirs = {}, .v2 = plan.v2, .enable = {}, .device_rules = {}};
    for (const sys::CgroupDir& dir : plan.dirs) {
        place.dirs.push_back({.controllers = dir.controllers,
                              .mount_point = dir.mount_point,
                              .path = dir.path,
                              .writes = {}});
    }
    return place;
}

}  // namespace

Record make_record(const NewContainer& wanted, const runtime::LaunchPlan& plan) {
    Record record{
        .id = wanted.id.text(),
        .name = wanted.name,
        .oci_version = wanted.bundle.config.oci_version,
        .bundle = wanted.bundle.directory,
        .rootfs = rootfs_path(wanted.bundle.rootfs),
        .config_file = wanted.config_file,
        .isolation = wanted.bundle.isolation,
        .created = wanted.created.empty() ? format_time(system_clock().wall()) : wanted.created,
        .annotations = wanted.bundle.config.annotations,
        .owner = getuid(),
        .own_pid_namespace = (plan.new_namespaces & CLONE_NEWPID) != 0,
        .cgroup = {},
        .unit = {},
        .resctrl = {},
        .poststart = plan.hooks.poststart,
        .poststop = plan.hooks.poststop,
        .image = wanted.image,
        .data_dir = wanted.data_dir,
        .auto_remove = wanted.auto_remove,
        .mounts_on_host = plan.mounts_on_host,
        .no_new_keyring = wanted.no_new_keyring,
        .exit_code = wanted.last_exit_code,
        .life = wanted.life,
        .boot = boot_id(),
    };
    if (plan.cgroup) {
        record.cgroup = place_only(*plan.cgroup);
    }
    if (plan.unit) {
        record.unit = plan.unit->scope.unit;
    }
    if (plan.resctrl) {
        record.resctrl = sys::ResctrlGroup{.mount_point = plan.resctrl->mount_point,
                                           .name = plan.resctrl->name,
                                           .owned = plan.resctrl->owned,
                                           .monitor = plan.resctrl->monitor,
                                           .expected = {},
                                           .schemata = {}};
    }
    return record;
}

Result<LockedDir> take_id(const Context& context, const ContainerId& id) {
    return context.root.make(id, [&](const LockedDir& found) -> Result<bool> {
        const auto record = load_record(found.fd(), path_of(context, id.text()));
        if (!record || (*record && (*record)->status != ContainerState::creating)) {
            return false;  // a damaged one is somebody's: only delete --force takes it
        }
        if (*record) {
            KNARR_TRY(clear_leftover(context, **record));
        }
        return true;
    });
}

namespace {

/// A container up to its gate, with what is needed to go on or to undo it.
struct Standing {
    LockedDir dir;
    Record record;
    runtime::Launched launched;
    Console console;
    std::string pid_file;
    bool again = false;  // it ran before
};

enum class Gate : std::uint8_t { socket, in_process };

Result<runtime::Launched> launch(const LockedDir& dir,
                                 Record& record,
                                 const NewContainer& wanted,
                                 const runtime::LaunchPlan& plan,
                                 runtime::LaunchIo io,
                                 Gate gate) {
    if (record.mounts_on_host) {
        // From the record on, whatever is mounted below is the container's and goes with it.
        KNARR_TRY(sys::refuse_mounts_below(record.rootfs));
    }
    KNARR_TRY(save_record(dir, record));
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

/// What there is of one that did not come to run goes, but for what it had before: how its last run
/// ended, too.
void give_up(const Context& context, LockedDir dir, Record record, bool again) {
    if (!again) {
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

Result<Standing> stand(const Context& context, NewContainer& wanted, ConsoleWay way, Gate gate) {
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
    const bool again = wanted.place.has_value();
    LockedDir dir = again ? std::move(*wanted.place) : KNARR_TRY(take_id(context, wanted.id));
    trace().mark("take the ID");
    Record record = make_record(wanted, plan);
    Result<runtime::Launched> launched = fail(Errc::internal, "not launched");
    if (Result<> made = fault_point("create.made"); !made) {
        launched = fail(std::move(made).error());
    } else {
        if (network) {
            io.network = network->finish();
        }
        launched = launch(dir, record, wanted, plan, std::move(io), gate);
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
        give_up(context, std::move(dir), record, again);
        note_failure(context, record, error);
        return fail(std::move(error));
    }
    return Standing{.dir = std::move(dir),
                    .record = std::move(record),
                    .launched = std::move(*launched),
                    .console = std::move(console),
                    .pid_file = wanted.pid_file,
                    .again = again};
}

/// From the gate to the running program with its poststart hooks.
Result<> go(const Context& context, Standing& standing) {
    const Record& record = standing.record;
    const runtime::ListenerAgent agent =
        KNARR_TRY(seccomp_agent(standing.dir.fd(), record, "created", record.pid));
    KNARR_TRY(runtime::open_gate(standing.launched.gate, agent));
    trace().mark("open the gate: the program runs");
    KNARR_TRY(fault_point("run.gate"));
    standing.record.status = ContainerState::running;
    standing.record.exit_code.reset();
    if (standing.again) {
        static_cast<void>(sys::unlink_at(standing.dir.fd(), kTroubleFile));  // of earlier runs
    }
    if (standing.record.life) {
        standing.record.life->oom_killed = false;
        standing.record.life->started = format_time(system_clock().wall());
        step(standing.record.life->restart, {.kind = RestartEvent::Kind::runs}, steady_ms());
    }
    KNARR_TRY(save_record(standing.dir, standing.record));
    if (!standing.again) {
        note_event(context, standing.record, "create");
    }
    note_event(context, standing.record, "start");
    return run_poststart(standing.record);
}

}  // namespace

Result<NewContainer> read_request(const BundleRequest& request) {
    ContainerId id = KNARR_TRY(ContainerId::parse(request.id));
    bundle::Bundle bundle = KNARR_TRY(bundle::read_bundle(request.bundle, request.config));
    trace().mark("read the bundle");
    bundle.isolation = request.isolation;
    return NewContainer{
        .id = std::move(id),
        .name = {},
        .bundle = std::move(bundle),
        .image = {},
        .data_dir = {},
        .make_data_dir = {},
        .config_file =
            request.config.empty() ? std::string() : KNARR_TRY(sys::absolute(request.config)),
        .pid_file = request.pid_file,
        .console_socket = request.console_socket,
        .pidfd_socket = request.pidfd_socket,
        .service = request.service,
        .preserve_fds = request.preserve_fds,
        .no_pivot = request.no_pivot,
        .no_new_keyring = request.no_new_keyring,
        .auto_remove = !request.keep,
        .keep_cgroup = request.keep,
    };
}

namespace {

/// Tells the embedding program where programs of a container will run beside a process of ours.
Result<> tell_before_seen(const Context& context, const bundle::Bundle& bundle) {
    const spec::RuntimeConfig& config = bundle.config;
    const bool joins =
        config.linux_ && std::ranges::any_of(config.linux_->namespaces, [](const auto& one) {
            return one.type == spec::NamespaceType::pid && !one.path.empty();
        });
    const bool hooks = !config.hooks.start_container.empty();
    return context.before_seen && (joins || hooks) ? context.before_seen() : Result<>{};
}

}  // namespace

Result<> create_container(const Context& context, NewContainer wanted) {
    const std::string what = "container " + wanted.id.text();
    KNARR_TRY(tell_before_seen(context, wanted.bundle), "{}", what);
    wanted.auto_remove = false;
    const ConsoleWay way = KNARR_TRY(console_way(wanted, Stay::leaves));
    Standing standing = KNARR_TRY(stand(context, wanted, way, Gate::socket), "{}", what);
    standing.record.status = ContainerState::created;
    Result<> saved = fault_point("create.done");
    if (saved) {
        saved = save_record(standing.dir, standing.record);
    }
    if (!saved) {
        remove_pid_file(standing.pid_file);
        undo(context, std::move(standing.dir), standing.record);
        return fail(std::move(saved).error().within(what));
    }
    return {};
}

Result<> lay_down_container(const Context& context, NewContainer wanted) {
    const std::string what = "container " + wanted.id.text();
    const bool terminal = wanted.bundle.config.process && wanted.bundle.config.process->terminal;
    // Planned for what is wrong with it: it is planned again when it starts.
    const runtime::LaunchPlan plan =
        KNARR_TRY(plan_container(context, wanted, terminal ? ConsoleWay::relay : ConsoleWay::none),
                  "{}",
                  what);
    KNARR_TRY(refuse_nested_cgroup(context, wanted, plan), "{}", what);
    KNARR_TRY(check_online(wanted.bundle.config), "{}", what);
    for (const std::string& warning : plan.warnings) {
        context.warn(warning);
    }
    LockedDir dir = KNARR_TRY(take_id(context, wanted.id), "{}", what);
    Record record = make_record(wanted, plan);
    record.cgroup.reset();
    record.unit.reset();
    record.resctrl.reset();
    const auto make = [&]() -> Result<> {
        KNARR_TRY(save_record(dir, record));
        KNARR_TRY(fault_point("create.recorded"));
        KNARR_TRY(wanted.make_data_dir());
        KNARR_TRY(fault_point("create.data"));
        record.status = ContainerState::stopped;
        return save_record(dir, record);
    };
    if (Result<> made = make(); !made) {
        record.status = ContainerState::creating;
        undo(context, std::move(dir), record);
        return fail(std::move(made).error().within(what));
    }
    note_event(context, record, "create");
    return {};
}

namespace {

/// The program's terminal to whom it is for, before the program runs: to us, or on.
Result<std::optional<Relay>> take_terminal(Standing& standing, const NewContainer& wanted) {
    if (!wanted.give_terminal) {
        return standing.console.start_relay(standing.launched.gate);
    }
    const auto master = KNARR_TRY(standing.console.receive(standing.launched.gate));
    if (master) {
        KNARR_TRY(wanted.give_terminal(*master), "terminal");
    }
    return std::nullopt;
}

}  // namespace

Result<int> run_container(const Context& context, NewContainer wanted, RunMode mode) {
    const std::string what = "container " + wanted.id.text();
    KNARR_TRY(tell_before_seen(context, wanted.bundle), "{}", what);
    const bool foreground = mode == RunMode::foreground;
    wanted.auto_remove =
        wanted.auto_remove && (foreground || (wanted.life && wanted.life->monitored));
    const bool takes_terminal = foreground || wanted.give_terminal;
    const ConsoleWay way =
        KNARR_TRY(console_way(wanted, takes_terminal ? Stay::foreground : Stay::leaves));
    // Held back from before there is anything to leave behind: a signal meanwhile is forwarded to
    // the program as soon as it runs.
    std::optional<sys::SignalFd> signals;
    if (foreground) {
        signals.emplace(KNARR_TRY(sys::SignalFd::open(), "{}", what));
    }
    std::optional<Standing> standing(
        KNARR_TRY(stand(context, wanted, way, Gate::in_process), "{}", what));
    std::optional<NotifyProxy> notify =
        listen_for_readiness(context, standing->dir, wanted.service);
    // Whoever looks at the container sees that its end is seen to, as long as we live.
    Result<sys::Fd> watching = foreground && wanted.life
                                   ? lock_to_watch(standing->dir.fd(), kMonitorLock)
                                   : Result<sys::Fd>(sys::Fd());
    Result<std::optional<Relay>> relay =
        watching ? take_terminal(*standing, wanted) : fail(std::move(watching).error());
    Result<> running = relay ? go(context, *standing) : Result<>(fail(relay.error()));
    if (!running) {
        remove_pid_file(standing->pid_file);
        give_up(context, std::move(standing->dir), standing->record, standing->again);
        note_failure(context, standing->record, running.error());
        return fail(std::move(running).error().within(what));
    }
    const sys::Fd process = std::move(standing->launched.pidfd);
    const Record record = std::move(standing->record);
    standing.reset();  // unlocks: kill, state and delete work while the program runs
    if (!foreground) {
        if (notify) {
            pass_readiness_on(context, *notify, process, record.pid);
        }
        return 0;
    }
    const int code = *KNARR_TRY(
        attend(*signals,
               process,
               {.relay = *relay ? &**relay : nullptr, .notify = notify ? &*notify : nullptr}),
        "{}",
        what);
    relay->reset();  // what is said from here on is for a terminal as it was
    trace().mark("wait for the program to end");
    tell_if_out_of_memory(context, record, code);
    KNARR_TRY(conclude(context, wanted, record, code), "{}", what);
    trace().mark("remove what there was");
    return code;
}

}  // namespace knarr::engine
