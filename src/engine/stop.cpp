#include "engine/stop.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "core/clock.h"
#include "core/fault.h"
#include "core/limits.h"
#include "engine/ending.h"
#include "engine/event_log.h"
#include "engine/monitor_lock.h"
#include "engine/monitor_start.h"
#include "engine/never_ran.h"
#include "engine/operate.h"
#include "engine/pause.h"
#include "engine/rerun.h"
#include "platform/cgroup_freeze.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/pidfd.h"
#include "platform/signal.h"

namespace knarr::engine {

namespace {

/// From the stop signal to SIGKILL, where neither the caller nor the container says.
constexpr unsigned kStopGraceSeconds = 30;
/// How long a parent may take to reap.
constexpr std::chrono::seconds kReapDelay{1};
constexpr std::chrono::seconds kTakeOver{1};

/// How a process ended that somebody else reaps, and whether anybody has recorded it.
struct End {
    bool settled = false;  // nothing more is to be learned
    bool is_gone = false;  // removed, and with it what was recorded
    std::optional<int> code;
};

Result<End> look_for_end(const Context& context, const RunOf& run, const sys::Fd& process) {
    const auto seen = look(context, run.id);
    // Its parent reaps it last of all, and the kernel tells only then.
    const Result<> there = sys::pidfd_send_signal(process, 0);
    const bool is_reaped = !there && there.error().sys_errno != EPERM;
    const auto stranger = sys::exit_of_stranger(process);
    const std::optional<int> code =
        stranger ? std::optional(stranger->code()) : std::optional<int>();
    if (!seen && seen.error().code != Errc::not_found) {
        return fail(seen.error());
    }
    if (!seen || !*seen || (*seen)->record.pid != run.pid) {
        const std::optional<int> recorded =
            seen && *seen ? (*seen)->record.exit_code : std::optional<int>();
        return End{.settled = recorded || code || is_reaped,
                   .is_gone = !seen || !*seen,
                   .code = recorded ? recorded : code};
    }
    if ((*seen)->record.status == ContainerState::stopped) {
        return End{.settled = true, .code = (*seen)->record.exit_code};
    }
    return End{.code = code};
}

/// Whether somebody lives who is to record how the container ended.
bool has_recorder(const Context& context, const ContainerId& id) {
    const auto dir = context.root.open_dir(id);
    return !dir || is_watched(*dir).value_or(true);
}

/// Waits until all that is to be learned of a run is, whose process has ended, or for as long as
/// those may take who record it: when one of them dies, another takes over within kTakeOver.
Result<End> look_until_settled(const Context& context, const RunOf& run, const sys::Fd& process) {
    sys::Patience patience{std::chrono::seconds(limits::kLockWaitSeconds)};
    auto last_seen = std::chrono::steady_clock::now();
    End end;
    while (true) {
        const End now = KNARR_TRY(look_for_end(context, run, process));
        end = {
            .settled = now.settled, .is_gone = now.is_gone, .code = end.code ? end.code : now.code};
        if (end.settled) {
            return end;
        }
        const auto time = std::chrono::steady_clock::now();
        last_seen = has_recorder(context, run.id) ? time : last_seen;
        if (time - last_seen > kTakeOver || !patience.rest()) {
            return end;
        }
    }
}

/// Nobody records the end of a bundle's container but we; its parent has the code, and the kernel.
Result<std::optional<int>> await_bundle(const Context& context,
                                        const ContainerId& id,
                                        const sys::Fd* process,
                                        int cancel_fd) {
    const auto ours = KNARR_TRY(wait_container(context, id, cancel_fd));
    if (ours || process == nullptr) {
        return ours;
    }
    sys::Patience patience{kReapDelay};
    do {
        if (const auto end = sys::exit_of_stranger(*process)) {
            return end->code();
        }
    } while (patience.rest());
    return std::nullopt;
}

/// The container may end or be removed at any moment, which is what is wanted.
Result<> unless_ended(Result<> done) {
    const bool ended =
        !done && (done.error().code == Errc::wrong_state || done.error().code == Errc::not_found);
    return ended ? Result<>{} : std::move(done);
}

}  // namespace

Result<std::optional<int>> await_end(const Context& context,
                                     const ContainerId& id,
                                     const sys::Fd* known,
                                     int cancel_fd) {
    const auto told = known != nullptr ? sys::exit_of_stranger(*known) : std::nullopt;
    if (told) {
        return told->code();
    }
    auto looked = look_at(context, id);
    if (!looked && looked.error().code == Errc::not_found && known != nullptr) {
        KNARR_TRY(sys::wait_ended_or_cancelled(*known, cancel_fd), "container {}", id.text());
        const End end = KNARR_TRY(look_until_settled(context, {.id = id, .pid = -1}, *known));
        return end.code ? end.code : noted_exit_code(context.root.path(), id);
    }
    const Seen seen = KNARR_TRY(std::move(looked));
    ensure_watched(context, seen.record);
    if (seen.record.pid == 0 || seen.record.status == ContainerState::stopped) {
        return never_ran(seen.record) ? 0 : seen.record.exit_code;
    }
    const RunOf run{.id = id, .pid = seen.record.pid, .start_ticks = seen.record.pid_start_ticks};
    // Also a zombie: what becomes of it can be seen until somebody reaps it.
    auto process = KNARR_TRY(sys::open_process_or_zombie(run.pid, run.start_ticks));
    if (!seen.record.life) {
        return await_bundle(context, id, process ? &*process : nullptr, cancel_fd);
    }
    const sys::Fd none;
    std::optional<int> code;
    if (process) {
        KNARR_TRY(sys::wait_ended_or_cancelled(*process, cancel_fd), "container {}", id.text());
        const auto reaped = sys::try_reap(*process);  // if it is our child
        code = reaped && *reaped ? std::optional((*reaped)->code()) : std::nullopt;
    }
    const std::string finished = format_time(system_clock().wall());
    const End end = KNARR_TRY(look_until_settled(context, run, process ? *process : none));
    code = code ? code : end.code;
    if (end.settled) {
        // Before Linux 6.15 the kernel tells nobody but the parent.
        return code || !end.is_gone ? code : noted_exit_code(context.root.path(), id);
    }
    // Nobody lives who would record it.
    KNARR_TRY(conclude_run(context, run, code, finished), "container {}", id.text());
    return code;
}

namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

/// Sends the signal; when SIGKILL is due. Nothing: it does not run.
Result<std::optional<SteadyTime>> ask_to_end(const Context& context,
                                             const ContainerId& id,
                                             const Seen& seen,
                                             const StopRequest& request) {
    ensure_watched(context, seen.record);
    const ContainerState state = seen.live.state;
    if (!seen.live.process.valid()) {
        if (state == ContainerState::creating) {
            return fail(Errc::wrong_state, "container {} is just being made", id.text());
        }
        return std::nullopt;
    }
    const auto& life = seen.record.life;
    int signal = life ? life->stop_signal : SIGTERM;
    if (!request.signal.empty()) {
        signal = KNARR_TRY(sys::parse_signal(request.signal));
    }
    const unsigned own = life && life->stop_seconds ? *life->stop_seconds : kStopGraceSeconds;
    const std::chrono::seconds grace(
        count_seconds(request.timeout.value_or(std::chrono::seconds(own))));
    KNARR_TRY(fault_point("stop.begun"));
    note_event(context, seen.record, "kill", {{"signal", fmt::format("{}", signal)}});
    KNARR_TRY(unless_ended(kill_seen(seen, signal)));
    if (state == ContainerState::paused) {
        KNARR_TRY(unless_ended(resume_container(context, id)));  // a frozen one hears no signal
    }
    KNARR_TRY(fault_point("stop.signalled"));
    return std::chrono::steady_clock::now() + grace;
}

/// From the signal to the end that is recorded.
Result<> see_it_end(const Context& context,
                    const ContainerId& id,
                    const Seen& seen,
                    SteadyTime due,
                    int cancel_fd) {
    const auto ends_within = [&](std::chrono::milliseconds time) {
        return sys::wait_ended_or_cancelled(seen.live.process, cancel_fd, time);
    };
    const auto grace =
        std::chrono::ceil<std::chrono::milliseconds>(due - std::chrono::steady_clock::now());
    if (!KNARR_TRY(ends_within(std::max(grace, std::chrono::milliseconds(0))),
                   "stop of container {}",
                   id.text())) {
        note_event(context, seen.record, "kill", {{"signal", "9"}});
        KNARR_TRY(unless_ended(kill_seen(seen, SIGKILL)));
        KNARR_TRY(fault_point("stop.killed"));
        const std::chrono::seconds patience{limits::kKillWaitSeconds};
        if (!KNARR_TRY(ends_within(patience), "stop of container {}", id.text())) {
            return fail(Errc::timed_out,
                        "container {} is still there {} s after SIGKILL",
                        id.text(),
                        limits::kKillWaitSeconds);
        }
    }
    const Result<std::optional<int>> ended = await_end(context, id, nullptr, cancel_fd);
    if (!ended && ended.error().code != Errc::not_found) {
        return fail(ended.error());
    }
    return {};
}

/// One of those that are stopped side by side.
struct Stopping {
    std::size_t index = 0;  // among all of them
    ContainerId id;
    Seen seen;
    SteadyTime due;
};

/// Nothing: it has ended already.
Result<std::optional<Stopping>> begin_stop(const Context& context,
                                           const ContainerId& id,
                                           const StopRequest& request) {
    KNARR_TRY(note_stop(context, id, StoppedBy::hand));
    Seen seen = KNARR_TRY(look_at(context, id));
    const auto due = KNARR_TRY(ask_to_end(context, id, seen, request));
    if (!due) {
        KNARR_TRY(await_end(context, id, nullptr, request.cancel_fd));
        return std::nullopt;
    }
    return Stopping{.id = id, .seen = std::move(seen), .due = *due};
}

Result<> finish_stop(const Context& context, const Stopping& one, int cancel_fd) {
    KNARR_TRY(see_it_end(context, one.id, one.seen, one.due, cancel_fd));
    note_event(context, one.seen.record, "stop");
    return {};
}

}  // namespace

Result<bool> end_container(const Context& context,
                           const ContainerId& id,
                           const Seen& seen,
                           const StopRequest& request) {
    const auto due = KNARR_TRY(ask_to_end(context, id, seen, request));
    if (!due) {
        KNARR_TRY(await_end(context, id, nullptr, request.cancel_fd));
        return false;  // it has ended already, which is what was asked for
    }
    KNARR_TRY(see_it_end(context, id, seen, *due, request.cancel_fd));
    return true;
}

Result<> stop_container(const Context& context, const ContainerId& id, const StopRequest& request) {
    const auto stopping = KNARR_TRY(begin_stop(context, id, request));
    return stopping ? finish_stop(context, *stopping, request.cancel_fd) : Result<>{};
}

std::vector<Result<>> stop_containers(const Context& context,
                                      std::span<const Result<ContainerId>> ids,
                                      const StopRequest& request) {
    std::vector<Result<>> results(ids.size());
    std::vector<Stopping> running;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] && std::ranges::find(running, *ids[i], &Stopping::id) != running.end()) {
            continue;  // named twice: it is not signalled again
        }
        auto begun = ids[i] ? begin_stop(context, *ids[i], request)
                            : Result<std::optional<Stopping>>(fail(ids[i].error()));
        if (!begun) {
            results[i] = fail(std::move(begun).error());
        } else if (*begun) {
            running.push_back(std::move(**begun));
            running.back().index = i;
        }
    }
    // Whose time is up first is waited for first: so nobody is killed late.
    std::ranges::stable_sort(running, {}, &Stopping::due);
    for (const Stopping& one : running) {
        results[one.index] = finish_stop(context, one, request.cancel_fd);
    }
    return results;
}

namespace {

/// The end that a restart brings is not the one at which --rm removes. Returns whether it would.
Result<bool> put_removal_off(const Context& context, const ContainerId& id) {
    Held held = KNARR_TRY(hold(context, id));
    if (!held.record.auto_remove || !held.record.life->monitored) {
        return false;  // in front of its caller alone it goes with that run
    }
    held.record.auto_remove = false;
    KNARR_TRY(save_record(held.dir, held.record));
    return true;
}

Result<> put_removal_on(const Context& context, const ContainerId& id) {
    Held held = KNARR_TRY(hold(context, id));
    held.record.auto_remove = true;
    return save_record(held.dir, held.record);
}

}  // namespace

Result<> restart_container(const Context& context,
                           const std::string& data_root,
                           const ContainerId& id,
                           const StopRequest& request) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    if (!seen.record.life) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} was made from a bundle, which "
                                                 "runs once",
                                                 id.text()),
                          .hint = "knarr rm and knarr run --bundle do it again"});
    }
    const bool removes = seen.record.auto_remove && KNARR_TRY(put_removal_off(context, id));
    Result<> stopped = stop_container(context, id, request);
    if (removes) {
        KNARR_TRY(put_removal_on(context, id));
    }
    KNARR_TRY(std::move(stopped));
    KNARR_TRY(start_container(context, data_root, id, {}));
    note_event(context, seen.record, "restart");
    return {};
}

}  // namespace knarr::engine
