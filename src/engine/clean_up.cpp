// cleanup and shutdown: what goes, and how all end at once.

#include <array>
#include <csignal>

#include "core/clock.h"
#include "core/limits.h"
#include "engine/container_data.h"
#include "engine/destroy.h"
#include "engine/event_log.h"
#include "engine/live.h"
#include "engine/monitor_lock.h"
#include "engine/operate.h"
#include "engine/pause.h"
#include "engine/recover.h"
#include "engine/rerun.h"
#include "engine/stop.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/signal.h"
#include "platform/socket.h"
#include "platform/task.h"

namespace knarr::engine {

namespace {

using Kind = UpkeepStep::Kind;

/// Why a container is to go; nothing: it stays.
Result<std::optional<UpkeepStep>> verdict(const Context& context,
                                          const std::string& data_root,
                                          const ContainerId& id,
                                          const CleanupRequest& request) {
    const auto step = [&](std::string_view why) {
        return std::optional(
            UpkeepStep{.kind = Kind::removed, .id = id.text(), .detail = std::string(why)});
    };
    const auto seen = look(context, id);
    if (!seen && seen.error().code == Errc::corrupt) {
        return request.orphaned && request.force ? step("its record is damaged") : std::nullopt;
    }
    if (!seen || !*seen) {
        return std::nullopt;  // removed meanwhile, or at work
    }
    const Record& record = (*seen)->record;
    const sys::Fd dir = KNARR_TRY(context.root.open_dir(id));
    if (is_empty_record(record) && KNARR_TRY(sys::stat_at(dir, kRecordFile))) {
        return request.orphaned && request.force ? step("its record is empty") : std::nullopt;
    }
    if (is_empty_record(record)) {
        // No killed launch: it may run, and recover() has its record back.
        const auto copy = kept_record(container_dir(data_root, id.text()));
        if (!copy || *copy) {
            return std::nullopt;
        }
    }
    if (record.status == ContainerState::creating) {
        const bool ours = request.orphaned && !KNARR_TRY(context.root.is_locked(dir));
        return ours ? step("its launch was killed") : std::nullopt;
    }
    const bool runs = (*seen)->live.process.valid();
    if (!runs) {
        const bool of_image = record.life.has_value();
        const bool stays =
            (of_image && is_pending(*record.life)) || record.status == ContainerState::created;
        return request.stopped && !stays && (of_image || request.force) ? step("it has ended")
                                                                        : std::nullopt;
    }
    const bool orphan = record.life && !KNARR_TRY(is_watched(dir));
    return orphan && request.orphaned && request.force ? step("nobody watches it") : std::nullopt;
}

struct Stopping {
    ContainerId id;
    sys::Fd process;
    bool killed = false;
};

/// Who asks us to end, by signals or by a descriptor.
class Urge {
public:
    Urge(const Context& context, sys::SignalFd signals, int cancel_fd)
        : context_(context), signals_(std::move(signals)), cancel_fd_(cancel_fd) {}

    std::array<sys::Ready, 2> items() const {
        return {sys::Ready{.fd = signals_.fd().get()}, sys::Ready{.fd = cancel_fd_}};
    }
    /// The first signal asks for what is done already; at the second nothing more is waited for.
    Result<> hear() {
        while (const auto signal = KNARR_TRY(signals_.next())) {
            if ((*signal == SIGINT || *signal == SIGTERM) && ++heard_ == 1) {
                context_.warn("the containers are ending; a second signal kills them at once");
            }
        }
        return {};
    }
    bool is_pressing() const { return heard_ > 1; }

private:
    const Context& context_;
    sys::SignalFd signals_;
    int cancel_fd_;
    int heard_ = 0;
};

/// Whether all have ended; waits for those that have not, until then or a word to us.
/// Errors: interrupted when we are cancelled.
Result<bool> all_ended(const std::vector<Stopping>& running,
                       Urge& urge,
                       std::chrono::milliseconds wait) {
    const auto own = urge.items();
    std::vector<sys::Ready> items(own.begin(), own.end());
    for (const Stopping& one : running) {
        if (!KNARR_TRY(sys::wait_ended(one.process, std::chrono::milliseconds(0)))) {
            items.push_back({.fd = one.process.get()});
        }
    }
    if (items.size() == own.size()) {
        return true;
    }
    KNARR_TRY(sys::wait_ready(items, static_cast<int>(wait.count())));
    if (items[1].is_ready) {
        return fail(Error{.code = Errc::interrupted,
                          .message = "shutdown: left on request",
                          .hint = "all containers have been sent their stop signal"});
    }
    KNARR_TRY(urge.hear());
    return false;
}

/// Sends all that run their stop signal.
Result<std::vector<Stopping>> ask_all(const Context& context,
                                      Urge& urge,
                                      std::vector<UpkeepStep>& steps) {
    std::vector<Stopping> running;
    for (const std::string& text : KNARR_TRY(context.root.ids())) {
        KNARR_TRY(urge.hear());  // one signal of a sort is kept until it is heard
        const ContainerId id = KNARR_TRY(ContainerId::parse(text));
        const auto noted = note_stop(context, id, StoppedBy::shutdown);
        auto seen = noted ? look(context, id) : Result<std::optional<Seen>>(fail(noted.error()));
        if (!seen && seen.error().code != Errc::not_found) {
            steps.push_back({.kind = Kind::failed, .id = text, .detail = seen.error().message});
        }
        if (!seen || !*seen || !(*seen)->live.process.valid()) {
            continue;
        }
        const auto& life = (*seen)->record.life;
        // It may end at any moment; whether it has, its pidfd says.
        static_cast<void>(
            kill_container(context, id, life ? life->stop_signal : SIGTERM, KillTarget::init));
        if ((*seen)->live.state == ContainerState::paused) {
            static_cast<void>(resume_container(context, id));
        }
        running.push_back({.id = id, .process = std::move((*seen)->live.process)});
    }
    return running;
}

}  // namespace

Result<std::vector<UpkeepStep>> clean_up(const Context& context,
                                         const std::string& data_dir,
                                         const CleanupRequest& request) {
    const std::string data_root = KNARR_TRY(sys::absolute(data_dir));
    std::vector<UpkeepStep> steps;
    for (const std::string& text : KNARR_TRY(context.root.ids())) {
        const ContainerId id = KNARR_TRY(ContainerId::parse(text));
        auto step = KNARR_TRY(verdict(context, data_root, id, request), "container {}", text);
        if (!step) {
            continue;
        }
        const Result<> gone = request.dry_run
                                  ? Result<>{}
                                  : remove_container(context, data_root, id, RemoveMode::force);
        if (!gone) {
            step->kind = Kind::failed;
            step->detail = gone.error().message;
        }
        steps.push_back(std::move(*step));
    }
    if (request.orphaned) {
        const Doing doing = request.dry_run ? Doing::nothing : Doing::it;
        for (const std::string& name : KNARR_TRY(remove_data_of_nobody(data_root, doing))) {
            steps.push_back({.kind = Kind::data, .id = name, .detail = {}});
        }
        if (!request.dry_run) {
            KNARR_TRY(unmount_leftovers(data_root));
        }
    }
    return steps;
}

Result<std::vector<UpkeepStep>> shut_down(const Context& context,
                                          std::chrono::seconds timeout,
                                          int cancel_fd) {
    timeout = std::chrono::seconds(count_seconds(timeout));
    Urge urge(context, KNARR_TRY(sys::SignalFd::open()), cancel_fd);
    std::vector<UpkeepStep> steps;
    std::vector<Stopping> running = KNARR_TRY(ask_all(context, urge, steps));
    const auto begin = system_clock().steady();
    std::chrono::milliseconds left{timeout};
    while (!urge.is_pressing() && left.count() > 0 && !KNARR_TRY(all_ended(running, urge, left))) {
        left =
            std::chrono::ceil<std::chrono::milliseconds>(begin + timeout - system_clock().steady());
    }
    for (Stopping& one : running) {
        if (!KNARR_TRY(sys::wait_ended(one.process, std::chrono::milliseconds(0)))) {
            one.killed = true;
            static_cast<void>(kill_container(context, one.id, SIGKILL, KillTarget::init));
        }
    }
    for (const Stopping& one : running) {
        const bool ended =
            KNARR_TRY(sys::wait_ended(one.process, std::chrono::seconds(limits::kKillWaitSeconds)));
        const auto known = ended ? await_end(context, one.id) : Result<std::optional<int>>();
        const bool recorded = ended && (known || known.error().code == Errc::not_found);
        steps.push_back({.kind = !recorded    ? Kind::failed
                                 : one.killed ? Kind::killed
                                              : Kind::stopped,
                         .id = one.id.text(),
                         .detail = ended ? "" : "it is still there after SIGKILL"});
    }
    return steps;
}

}  // namespace knarr::engine
