#include "engine/operate.h"

#include <cerrno>
#include <csignal>
#include <map>

#include "core/clock.h"
#include "core/fault.h"
#include "core/limits.h"
#include "engine/destroy.h"
#include "engine/hook_output.h"
#include "engine/launch_failures.h"
#include "engine/live.h"
#include "engine/monitor_context.h"
#include "engine/monitor_lock.h"
#include "engine/monitor_start.h"
#include "engine/never_ran.h"
#include "engine/notify.h"
#include "engine/record.h"
#include "engine/run_again.h"
#include "engine/seccomp_agent.h"
#include "engine/states.h"
#include "platform/cgroup_freeze.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/pidfd.h"
#include "runtime/launch/launch.h"

namespace knarr::engine {

namespace {

Result<> send(const sys::Fd& process, int signal) {
    const Result<> sent = sys::pidfd_send_signal(process, signal);
    // ESRCH: it died meanwhile, which is what a signal may do.
    return !sent && sent.error().sys_errno != ESRCH ? sent : Result<>{};
}

/// Signals every process of a cgroup once, and those that they start meanwhile. A pid is signalled
/// through a descriptor that was opened while a later look still finds that pid in the cgroup.
Result<bool> signal_cgroup(const sys::CgroupPlan& cgroup, int signal) {
    constexpr int kRounds = 8;  // a cgroup that forks faster than this is for SIGKILL
    std::map<pid_t, sys::Fd> held;
    std::map<pid_t, bool> done;
    for (int round = 0; round < kRounds; ++round) {
        bool fresh = false;
        for (const pid_t pid : KNARR_TRY(sys::cgroup_pids(cgroup))) {
            const auto found = held.find(pid);
            if (found == held.end()) {
                Result<sys::Fd> process = sys::pidfd_open(pid);
                if (process) {
                    held.emplace(pid, std::move(*process));
                    fresh = true;
                }
            } else if (!done[pid]) {
                KNARR_TRY(send(found->second, signal));
                done[pid] = true;
            }
        }
        if (!fresh && round > 0) {
            break;
        }
    }
    return !held.empty();
}

Result<> kill_everything(const Seen& seen, int signal) {
    const Record& record = seen.record;
    if (!record.cgroup) {
        if (!record.own_pid_namespace) {
            return fail(Errc::unsupported,
                        "the container has neither a cgroup nor a pid namespace of its own: its "
                        "processes cannot be told from others");
        }
        KNARR_TRY(next_state(record.id, seen.live.state, Transition::kill));
        return send(seen.live.process, signal);
    }
    const bool some = KNARR_TRY(signal_cgroup(*record.cgroup, signal));
    if (signal == SIGKILL && some) {
        return sys::kill_cgroup(*record.cgroup);
    }
    // Nobody is left to be signalled: containerd asks for that of stopped containers, too.
    return {};
}

/// Holds it once the end of its last run is put down. Its monitors do that, and need the lock.
Result<Held> hold_concluded(const Context& context, const ContainerId& id) {
    sys::Patience patience{std::chrono::seconds(limits::kLockWaitSeconds)};
    while (true) {
        Held held = KNARR_TRY(hold(context, id));
        if (!is_end_untold(held.record, held.live) || !KNARR_TRY(is_watched(held.dir.fd()))) {
            return held;
        }
        {
            const LockedDir unlocked = std::move(held.dir);
        }
        if (!patience.rest()) {
            return fail(
                Error{.code = Errc::wrong_state,
                      .message = fmt::format(
                          "container {}: the monitor of its last run is still at work", id.text()),
                      .hint = "try again; knarr explain ID tells what it waits for"});
        }
    }
}

}  // namespace

Result<> start_container(const Context& context,
                         const std::string& data_root,
                         const ContainerId& id,
                         const ServiceLinks& service,
                         AttachedEnds attached) {
    Held held = KNARR_TRY(hold_concluded(context, id));
    auto& [dir, record, live] = held;
    if (record.life) {
        if (live.state == ContainerState::paused) {
            return fail(
                Error{.code = Errc::wrong_state,
                      .message = fmt::format("container {} is paused (cannot start a paused "
                                             "container, try unpause instead)",
                                             id.text()),
                      .hint = fmt::format("knarr unpause {}", id.text())});
        }
        if (live.process.valid()) {
            return {};  // it runs, which is what was asked for, as docker has it
        }
        const bool pending = is_pending(*record.life);
        step(record.life->restart, {.kind = RestartEvent::Kind::started_by_hand}, steady_ms());
        if (pending) {
            KNARR_TRY(save_record(dir, record));  // its monitor is waiting, and leaves
        }
        return run_again(context, data_root, std::move(held), std::move(attached));
    }
    KNARR_TRY(next_state(id.text(), live.state, Transition::start));
    std::optional<NotifyProxy> notify = listen_for_readiness(context, dir, service);
    const runtime::ListenerAgent agent =
        KNARR_TRY(seccomp_agent(dir.fd(), record, "created", record.pid));
    Result<> opened = runtime::open_gate_at(dir.fd(), kGateSocket, agent);
    // A program that is not there is ENOENT too, but has its own code.
    const bool nobody_waits =
        !opened &&
        (opened.error().sys_errno == ECONNREFUSED ||
         (opened.error().sys_errno == ENOENT && opened.error().code != Errc::exec_not_found));
    if (nobody_waits && KNARR_TRY(sys::open_process(record.pid, record.pid_start_ticks))) {
        // Nobody waits at the gate, but the process is there: a start that was killed before it
        // could write so has let it run.
        record.status = ContainerState::running;
        KNARR_TRY(save_record(dir, record), "container {}", id.text());
        return fail(next_state(id.text(), record.status, Transition::start).error());
    }
    KNARR_TRY(std::move(opened), "container {}", id.text());
    KNARR_TRY(fault_point("start.gate"), "container {}", id.text());
    record.status = ContainerState::running;
    KNARR_TRY(save_record(dir, record), "container {}", id.text());
    KNARR_TRY(fault_point("start.recorded"), "container {}", id.text());
    KNARR_TRY(sys::unlink_at(dir.fd(), kGateSocket), "container {}", id.text());
    if (!record.poststart.empty()) {
        Result<> ran = run_poststart(record);
        if (!ran) {
            const Result<> gone = destroy(context, dir, record);
            if (!gone) {
                context.warn(gone.error().message);
            }
            return fail(std::move(ran).error().within("container " + id.text()));
        }
    }
    if (notify) {
        {
            const LockedDir unlocked = std::move(dir);
        }  // others may kill and delete it meanwhile
        pass_readiness_on(context, *notify, live.process, record.pid);
    }
    return {};
}

Result<> kill_container(const Context& context,
                        const ContainerId& id,
                        int signal,
                        KillTarget target) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    if (target == KillTarget::every_process) {
        KNARR_TRY(kill_everything(seen, signal), "container {}", id.text());
        return {};
    }
    return kill_seen(seen, signal);
}

Result<> kill_seen(const Seen& seen, int signal) {
    const std::string& id = seen.record.id;
    KNARR_TRY(next_state(seen.record, seen.live, Transition::kill));
    KNARR_TRY(send(seen.live.process, signal), "container {}", id);
    const Record& record = seen.record;
    // Looked at after the signal: a pause that came in between has it frozen, and a later one finds
    // the signal there, and thaws.
    if (signal == SIGKILL && (record.own_pid_namespace || record.life) && record.cgroup &&
        sys::is_frozen(*record.cgroup)) {
        // On v1 a frozen process takes the signal only when it is thawed.
        KNARR_TRY(sys::kill_cgroup(*record.cgroup), "container {}", id);
    }
    return {};
}

namespace {

bool is_probed(const Record& record) {
    return record.life && record.life->health && record.life->monitored;
}

/// What its probes say of a container that runs; one that does not has the health of its last run.
void add_health(ContainerInfo& info, const Record& record, const sys::Fd& dir) {
    HealthState state = load_health(dir, record.pid, record.pid_start_ticks);
    info.health = HealthReport{.check = *record.life->health,
                               .status = state.status,
                               .failing_streak = state.failing_streak,
                               .log = std::move(state.log)};
}

}  // namespace

ContainerInfo describe_watched(const Context& context, const ContainerId& id, const Seen& seen) {
    ContainerInfo info = describe(seen.record, seen.live);
    if (!seen.record.life) {
        return info;
    }
    ensure_watched(context, seen.record);
    if (const auto dir = context.root.open_dir(id)) {
        info.trouble = sys::read_file_at(*dir, kTroubleFile, limits::kMaxStateBytes).value_or("");
        if (info.state == ContainerState::stopped || info.state == ContainerState::created) {
            auto failure = last_failure(context, info.id);
            if (failure && *failure && (*failure)->time > info.started) {
                info.failure = std::move(*failure);
            }
        }
        if (is_probed(seen.record)) {
            add_health(info, seen.record, *dir);
        }
    }
    return info;
}

Result<ContainerInfo> query_container(const Context& context, const ContainerId& id) {
    return describe_watched(context, id, KNARR_TRY(look_at(context, id)));
}

Result<std::vector<ContainerInfo>> list_containers(const Context& context) {
    std::vector<ContainerInfo> all;
    for (const std::string& text : KNARR_TRY(context.root.ids())) {
        const ContainerId id = KNARR_TRY(ContainerId::parse(text));
        const auto seen = look(context, id);
        if (seen && *seen) {
            ensure_watched(context, (*seen)->record);
            all.push_back(describe((*seen)->record, (*seen)->live));
            if (!is_probed((*seen)->record)) {
                continue;
            }
            if (const auto dir = context.root.open_dir(id)) {
                add_health(all.back(), (*seen)->record, *dir);
            }
        } else if (!seen && seen.error().code != Errc::not_found) {
            ContainerInfo& damaged = all.emplace_back();
            damaged.id = text;
            damaged.damage = seen.error().message;
        }
    }
    return all;
}

Result<std::optional<int>> wait_container(const Context& context,
                                          const ContainerId& id,
                                          int cancel_fd) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    if (seen.record.exit_code || seen.record.pid == 0) {
        return seen.record.exit_code;
    }
    // Also a zombie: if it is our child, its exit code waits there for us.
    const auto process =
        KNARR_TRY(sys::open_process_or_zombie(seen.record.pid, seen.record.pid_start_ticks));
    if (!process) {
        return std::nullopt;
    }
    KNARR_TRY(sys::wait_ended_or_cancelled(*process, cancel_fd), "container {}", id.text());
    const auto status = sys::try_reap(*process);
    if (!status && status.error().sys_errno != ECHILD) {
        return fail(status.error());
    }
    if (!status || !*status) {
        return std::nullopt;  // somebody else's child: its parent has the exit code
    }
    const int code = (*status)->code();
    // Kept for whoever asks later. The container may have been removed meanwhile.
    if (Result<LockedDir> dir = context.root.lock(id)) {
        auto record = load_record(dir->fd(), path_of(context, id.text()));
        if (record && *record && (*record)->pid_start_ticks == seen.record.pid_start_ticks) {
            (*record)->status = ContainerState::stopped;
            (*record)->exit_code = code;
            KNARR_TRY(save_record(*dir, **record), "container {}", id.text());
        }
    }
    return code;
}

}  // namespace knarr::engine
