#include "engine/new_container.h"

#include <algorithm>
#include <csignal>
#include <optional>

#include "bundle/read.h"
#include "core/fault.h"
#include "core/trace.h"
#include "engine/attend.h"
#include "engine/conclude.h"
#include "engine/console.h"
#include "engine/container_plan.h"
#include "engine/event_log.h"
#include "engine/handed_over.h"
#include "engine/launch_failures.h"
#include "engine/launch_to_gate.h"
#include "engine/monitor_lock.h"
#include "engine/names.h"
#include "engine/nested_cgroup.h"
#include "engine/new_record.h"
#include "engine/notify.h"
#include "platform/pidfd.h"
#include "platform/signal.h"
#include "platform/task.h"

namespace knarr::engine {

Result<NewContainer> read_request(const BundleRequest& request) {
    ContainerId id = KNARR_TRY(ContainerId::parse(request.id));
    bundle::Bundle bundle = KNARR_TRY(bundle::read_bundle(request.bundle, request.config));
    trace().mark("read the bundle");
    bundle.isolation = request.isolation;
    return NewContainer{
        .id = std::move(id),
        .bundle = std::move(bundle),
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
        .cancel_fd = request.cancel_fd,
    };
}

namespace {

Result<ConsoleWay> console_way(const NewContainer& wanted, Stay stay) {
    const auto& process = wanted.bundle.config.process;
    return KNARR_TRY(choose_console(process && process->terminal, wanted.console_socket, stay),
                     "container {}",
                     wanted.id.text());
}

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
    GatedContainer gated =
        KNARR_TRY(launch_to_gate(context, wanted, way, Gate::socket), "{}", what);
    gated.record.status = ContainerState::created;
    Result<> saved = fault_point("create.done");
    if (saved) {
        saved = save_record(gated.dir, gated.record);
    }
    if (!saved) {
        remove_pid_file(gated.pid_file);
        undo(context, std::move(gated.dir), gated.record);
        return fail(std::move(saved).error().within(what));
    }
    return {};
}

Result<> create_unstarted(const Context& context, NewContainer wanted) {
    const std::string what = "container " + wanted.id.text();
    const bool terminal = wanted.bundle.config.process && wanted.bundle.config.process->terminal;
    // Planned for what is wrong with it: it is planned again when it starts.
    const runtime::LaunchPlan plan =
        KNARR_TRY(plan_container(context, wanted, terminal ? ConsoleWay::relay : ConsoleWay::none),
                  "{}",
                  what);
    KNARR_TRY(refuse_nested_cgroup(context, wanted, plan), "{}", what);
    for (const std::string& warning : plan.warnings) {
        context.warn(warning);
    }
    LockedDir dir = KNARR_TRY(take_id(context, wanted.id), "{}", what);
    Record record = make_record(wanted, plan);
    record.cgroup.reset();
    record.unit.reset();
    record.resctrl.reset();
    const auto mark_laid_down = [&](bool whole) {
        if (record.life) {
            record.life->laid_down = whole;
        }
    };
    mark_laid_down(false);  // killed before all of it is there, it goes
    const auto make = [&]() -> Result<> {
        KNARR_TRY(save_named(context, dir, record, system_random()));
        KNARR_TRY(fault_point("create.recorded"));
        KNARR_TRY(wanted.make_data_dir());
        KNARR_TRY(fault_point("create.data"));
        record.status = ContainerState::stopped;
        mark_laid_down(true);
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
Result<std::optional<Relay>> take_terminal(GatedContainer& gated, const NewContainer& wanted) {
    if (!wanted.give_terminal) {
        return gated.console.start_relay(gated.launched.gate);
    }
    const auto master = KNARR_TRY(gated.console.receive(gated.launched.gate));
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
    std::optional<GatedContainer> gated(
        KNARR_TRY(launch_to_gate(context, wanted, way, Gate::in_process), "{}", what));
    std::optional<NotifyProxy> notify = listen_for_readiness(context, gated->dir, wanted.service);
    // Whoever looks at the container sees that its end is seen to, as long as we live.
    Result<sys::Fd> watching = foreground && wanted.life
                                   ? lock_to_watch(gated->dir.fd(), kMonitorLock)
                                   : Result<sys::Fd>(sys::Fd());
    Result<std::optional<Relay>> relay =
        watching ? take_terminal(*gated, wanted) : fail(std::move(watching).error());
    Result<> running =
        relay ? open_gate_and_record(context, *gated) : Result<>(fail(relay.error()));
    if (!running) {
        remove_pid_file(gated->pid_file);
        undo_launch(context, std::move(gated->dir), gated->record, gated->what);
        note_failure(context, gated->record, running.error());
        return fail(std::move(running).error().within(what));
    }
    const sys::Fd process = std::move(gated->launched.pidfd);
    const Record record = std::move(gated->record);
    gated.reset();  // unlocks: kill, state and delete work while the program runs
    if (!foreground) {
        if (notify) {
            pass_readiness_on(context, *notify, process, record.pid);
        }
        return 0;
    }
    Beside beside{.relay = *relay ? &**relay : nullptr,
                  .notify = notify ? &*notify : nullptr,
                  .cancel_fd = wanted.cancel_fd};
    Result<std::optional<int>> attended = attend(*signals, process, beside);
    const bool cancelled = !attended && attended.error().code == Errc::interrupted;
    if (cancelled) {
        static_cast<void>(sys::pidfd_send_signal(process, SIGKILL));
        beside.cancel_fd = -1;
        attended = attend(*signals, process, beside);
    }
    const int code = *KNARR_TRY(std::move(attended), "{}", what);
    relay->reset();  // what is said from here on is for a terminal as it was
    trace().mark("wait for the program to end");
    tell_if_out_of_memory(context, record, code);
    KNARR_TRY(conclude(context, wanted, record, code), "{}", what);
    trace().mark("remove what there was");
    if (cancelled) {
        return fail(Errc::interrupted, "{}: killed on request", what);
    }
    return code;
}

}  // namespace knarr::engine
