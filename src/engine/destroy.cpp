#include "engine/destroy.h"

#include <cerrno>
#include <chrono>
#include <csignal>

#include <fcntl.h>

#include "core/fault.h"
#include "core/limits.h"
#include "engine/container_data.h"
#include "engine/event_log.h"
#include "engine/hook_output.h"
#include "engine/kept_config.h"
#include "engine/live.h"
#include "engine/names.h"
#include "engine/owner.h"
#include "engine/states.h"
#include "engine/volumes.h"
#include "platform/file.h"
#include "platform/mounts_below.h"
#include "platform/patience.h"
#include "platform/pidfd.h"
#include "rpc/systemd.h"
#include "runtime/launch/launch.h"

namespace knarr::engine {

namespace {

/// Ends the unit, so that systemd forgets it. False: it is not ours, and neither is its cgroup.
Result<bool> end_unit(const Context& context, const Record& record) {
    Result<rpc::Systemd> systemd = rpc::Systemd::connect(record.unit->bus);
    if (!systemd && systemd.error().code == Errc::unsupported) {
        // A systemd that has gone has no units; the cgroup is still there to be removed.
        context.warn(fmt::format("unit {}: {}", record.unit->name, systemd.error().message));
        return true;
    }
    if (!systemd) {
        return fail(std::move(systemd).error());
    }
    if (record.pid > 0) {
        KNARR_TRY(systemd->stop(record.unit->name));
        return true;
    }
    // Whether a create that was killed got as far as the unit only its description tells.
    return systemd->kill_and_stop(*record.unit);
}

/// The class or monitoring group that was made for it; a file system that is gone has none.
Result<> end_resctrl(const Record& record) {
    if (!record.resctrl) {
        return {};
    }
    const Result<sys::Fd> root = sys::open_resctrl(*record.resctrl);
    if (!root) {
        return root.error().sys_errno == ENOENT ? Result<>{} : fail(root.error());
    }
    KNARR_TRY(sys::remove_resctrl(*root, *record.resctrl), "resctrl");
    return {};
}

/// Kills the first process, and with it its pid namespace; everything else in the cgroup where
/// there is no such namespace.
Result<> end_processes(const Record& record) {
    auto process = KNARR_TRY(sys::open_process(record.pid, record.pid_start_ticks));
    if (process) {
        // ESRCH: it ended just now.
        const Result<> sent = sys::pidfd_send_signal(*process, SIGKILL);
        if (!sent && sent.error().sys_errno != ESRCH) {
            return sent;
        }
    }
    // Without a pid recorded the cgroup may not be ours: its making may be what failed. A frozen
    // process dies only when it is thawed, which kill_cgroup does.
    const bool is_known = record.pid > 0 && (process || !record.own_pid_namespace);
    if (record.cgroup && (record.restoring || is_known)) {
        KNARR_TRY(sys::kill_cgroup(*record.cgroup));
    }
    if (process &&
        !KNARR_TRY(sys::wait_ended(*process, std::chrono::seconds(limits::kKillWaitSeconds)))) {
        return fail(Errc::timed_out,
                    "process {} is still there {} s after SIGKILL",
                    record.pid,
                    limits::kKillWaitSeconds);
    }
    if (process) {
        // A zombie of ours is reaped; somebody else's child is not ours to reap (ECHILD).
        const auto reaped = sys::try_reap(*process);
        if (!reaped && reaped.error().sys_errno != ECHILD) {
            return fail(reaped.error());
        }
    }
    return {};
}

/// Without a pid recorded nobody can be killed, and need not be: what is inside lost its parent and
/// ends by itself, as soon as the machine's load lets it. Whoever stays was there first.
Result<> await_empty(const sys::CgroupPlan& cgroup) {
    sys::Patience patience{std::chrono::seconds(limits::kKillWaitSeconds)};
    bool waits = true;
    while (waits) {
        waits = !KNARR_TRY(sys::cgroup_pids(cgroup)).empty() && patience.rest();
    }
    return {};
}

Result<> remove_data_dir(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (path.empty() || slash == std::string::npos || slash + 1 == path.size()) {
        return {};
    }
    const auto parent = sys::open_path(path.substr(0, slash + 1), O_RDONLY | O_DIRECTORY);
    if (!parent) {
        return parent.error().sys_errno == ENOENT ? Result<>{} : fail(parent.error());
    }
    return remove_owned_tree(*parent, path.substr(slash + 1));
}

/// The record to remove a container by: its own, or else the copy beside its files. Nothing for one
/// that was killed before it had any. Errors: corrupt, when there is no copy.
Result<std::optional<Record>> record_to_remove_by(const Context& context,
                                                  const LockedDir& dir,
                                                  const std::string& data_root,
                                                  const ContainerId& id) {
    auto record = load_record(dir.fd(), path_of(context, id.text()));
    if (record ? record->has_value() : record.error().code != Errc::corrupt) {
        return record;
    }
    if (record && KNARR_TRY(had_record(dir.fd()))) {
        // A killed launch leaves none, rather than an empty one: it may run.
        record = fail(
            Error{.code = Errc::corrupt,
                  .message = fmt::format("container {}: its record is empty or gone", id.text()),
                  .hint = "delete --force removes the container as far as possible"});
    }
    auto copy = kept_record(container_dir(data_root, id.text()));
    if (!copy || !*copy || (*copy)->id != id.text()) {
        return record;
    }
    context.warn(fmt::format("{}; its copy below {} is used",
                             record ? fmt::format("container {}: its record is gone", id.text())
                                    : record.error().message,
                             data_root));
    return std::move(*copy);
}

/// Whether the container came so far that its cgroup is certainly its own.
bool has_own_cgroup(const Record& record) {
    return record.pid > 0 || record.status != ContainerState::creating;
}

/// The cgroup and what else the container had of the machine. Others may have made cgroups of their
/// own in it (linux.cgroupsPath may lie anywhere, as with runc and crun): it is theirs then.
Result<> give_place_back(const Context& context, const Record& record) {
    const bool is_ours = has_own_cgroup(record);
    if (record.cgroup && !is_ours && !record.unit) {
        KNARR_TRY(await_empty(*record.cgroup));
    }
    Result<> removed = remove_place(context, record);
    if (!removed && is_ours && removed.error().code != Errc::wrong_state) {
        return removed;
    }
    if (!removed) {
        context.warn(fmt::format("{}; it stays", removed.error().message));
    }
    return {};
}

/// What is left of a container besides its state directory, newest first.
Result<> remove_traces(const Context& context,
                       const Record& record,
                       bool hooks,
                       AnonymousVolumes volumes) {
    KNARR_TRY(end_processes(record));
    KNARR_TRY(fault_point("delete.killed"));
    if (record.mounts_on_host) {
        KNARR_TRY(sys::unmount_below(record.rootfs));
    }
    KNARR_TRY(give_place_back(context, record));
    KNARR_TRY(fault_point("delete.cgroup"));
    if (hooks && !record.poststop.empty()) {
        // Source: runtime-spec runtime.md "Lifecycle": a failing poststop hook is logged, the
        // others and the lifecycle go on.
        Result<runtime::HookOutput> output = open_hook_output(record.annotations);
        if (!output) {
            context.warn(output.error().message);
            output = runtime::HookOutput{};
        }
        for (const spec::Hook& hook : record.poststop) {
            const Result<> ran =
                runtime::run_hooks({hook}, "poststop", hook_state(record, "stopped", 0), *output);
            if (!ran) {
                context.warn(ran.error().message);
            }
        }
    }
    KNARR_TRY(fault_point("delete.hooks"));
    KNARR_TRY(unmount_layers_of(record.data_dir));
    KNARR_TRY(remove_data_dir(record.data_dir));
    KNARR_TRY(fault_point("delete.data"));
    const std::string data_root = data_root_of(record.data_dir);
    if (volumes == AnonymousVolumes::go && record.life && !data_root.empty()) {
        remove_anonymous_volumes(data_root, record.life->volumes, context.warn);
    }
    release_name(context, record);
    return {};
}

}  // namespace

Result<> remove_place(const Context& context, const Record& record) {
    KNARR_TRY(end_resctrl(record));
    if (record.unit && !KNARR_TRY(end_unit(context, record))) {
        return {};
    }
    KNARR_TRY(fault_point("delete.unit"));
    return record.cgroup ? sys::remove_cgroup(*record.cgroup) : Result<>{};
}

Result<> clear_leftover(const Context& context, const Record& record) {
    KNARR_TRY(remove_traces(context, record, false, AnonymousVolumes::go),
              "clean what is left of {}",
              record.id);
    return {};
}

namespace {

/// The place of a run that is over; its files and volumes are there for the next.
Result<> end_place(const Context& context, const Record& record) {
    if (record.mounts_on_host) {
        KNARR_TRY(sys::unmount_below(record.rootfs));
    }
    KNARR_TRY(has_own_cgroup(record) ? remove_place(context, record)
                                     : give_place_back(context, record));
    KNARR_TRY(fault_point("delete.cgroup"));
    return {};
}

}  // namespace

Result<> end_run(const Context& context, const LockedDir& dir, Record& record) {
    KNARR_TRY(end_processes(record), "clean what is left of {}", record.id);
    KNARR_TRY(fault_point("delete.killed"));
    const Result<> place = end_place(context, record);
    if (!place) {
        // That it has ended, and how, is true whatever is in the way: it is tried again when it
        // starts or is removed.
        context.warn(fmt::format("clean what is left of {}: {}", record.id, place.error().message));
    } else {
        record.cgroup.reset();
        record.unit.reset();
        record.resctrl.reset();
        record.mounts_on_host = false;
    }
    record.status = ContainerState::stopped;
    record.pid = 0;
    record.pid_start_ticks = 0;
    return save_record(dir, record);
}

Result<> destroy(const Context& context,
                 LockedDir& dir,
                 const Record& record,
                 AnonymousVolumes volumes) {
    // One that still runs is killed here, and nobody is left who would tell of its end.
    const bool runs = record.life && record.pid > 0 &&
                      KNARR_TRY(sys::open_process(record.pid, record.pid_start_ticks));
    if (runs) {
        note_event(context, record, "kill", {{"signal", fmt::format("{}", SIGKILL)}});
    }
    KNARR_TRY(
        remove_traces(context, record, true, record.auto_remove ? AnonymousVolumes::go : volumes),
        "container {}",
        record.id);
    if (runs) {
        note_event(context, record, "die", {{"exitCode", fmt::format("{}", 128 + SIGKILL)}});
    }
    KNARR_TRY(context.root.remove(std::move(dir)));
    // Of one that `run` made and that never ran nobody was told that it is there, either.
    if (record.life && (record.life->laid_down || !record.life->started.empty())) {
        note_event(context, record, "destroy");
    }
    return {};
}

Result<> remove_container(const Context& context,
                          const std::string& data_root,
                          const ContainerId& id,
                          RemoveMode mode,
                          AnonymousVolumes volumes) {
    const bool force = mode == RemoveMode::force;
    Result<LockedDir> dir = context.root.lock(id);
    if (!dir) {
        if (force && dir.error().code == Errc::not_found) {
            return {};
        }
        return fail(std::move(dir).error());
    }
    const auto record = record_to_remove_by(context, *dir, data_root, id);
    if (!record && force && record.error().code == Errc::corrupt) {
        context.warn(
            fmt::format("{}; removed without its cgroup and processes, which it would name",
                        record.error().message));
        release_names_of(context, id.text());
        return context.root.remove(std::move(*dir));
    }
    if (!record) {
        return fail(record.error());
    }
    if (!*record) {  // killed before its record was written: there is nothing else
        return context.root.remove(std::move(*dir));
    }
    const Live live = KNARR_TRY(live_state(**record, LockHolder::none));
    KNARR_TRY(
        next_state(id.text(), live.state, force ? Transition::force_remove : Transition::remove));
    if (!force && (*record)->life && is_pending(*(*record)->life)) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = fmt::format("container {} is restarting", id.text()),
                          .hint = fmt::format(
                              "knarr stop {0} ends that, knarr rm -f {0} removes it", id.text())});
    }
    return destroy(context, *dir, **record, volumes);
}

}  // namespace knarr::engine
