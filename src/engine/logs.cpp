#include "engine/logs.h"

#include <cerrno>
#include <chrono>

#include <fcntl.h>

#include "engine/live.h"
#include "engine/log_reader.h"
#include "engine/log_store.h"
#include "engine/monitor_start.h"
#include "engine/never_ran.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

/// How long a log may be gone before its container is.
constexpr std::chrono::seconds kRemovalTime{2};

/// Whether more can come.
Result<bool> goes_on(const Context& context, const ContainerId& id) {
    const auto seen = look(context, id);
    if (!seen) {
        return seen.error().code == Errc::not_found ? Result<bool>(false) : fail(seen.error());
    }
    // The monitor records the end when the last byte is in the log.
    return *seen && (*seen)->record.status != ContainerState::stopped;
}

/// The log, which is made when the container runs for the first time. Nothing: it has not run yet,
/// and nobody waits for that any longer, or it was removed instead.
Result<std::optional<sys::Fd>> open_log(const Context& context,
                                        const ContainerId& id,
                                        const std::string& dir,
                                        std::optional<sys::DirWatch>& watch,
                                        int cancel_fd) {
    sys::Patience patience{kRemovalTime};
    while (true) {
        const auto seen = look(context, id);
        if (!seen && seen.error().code != Errc::not_found) {
            return fail(seen.error());
        }
        if (!seen || !*seen) {
            return std::nullopt;
        }
        const Seen& found = **seen;
        const bool before = never_ran(found.record);
        Result<sys::Fd> log = sys::open_path(dir, O_RDONLY | O_DIRECTORY);
        const bool goes = watch && !log && log.error().sys_errno == ENOENT && !before;
        if (goes && patience.rest()) {
            continue;  // its removal has begun: the record goes last
        }
        const bool stands = before && found.live.state == ContainerState::stopped;
        if (!before || (log && !stands)) {
            return KNARR_TRY(std::move(log), "log");
        }
        if (!watch) {
            return std::nullopt;
        }
        if (!KNARR_TRY(watch->wait(cancel_fd))) {
            return std::nullopt;
        }
    }
}

}  // namespace

Result<> read_logs(const Context& context,
                   const ContainerId& id,
                   const LogRequest& request,
                   const LogSink& sink) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    ensure_watched(context, seen.record);
    const auto& life = seen.record.life;
    const bool monitored = life && life->monitored;
    if (!monitored || !life->log.keep) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("container {} has no log: {}",
                                   id.text(),
                                   monitored ? "it was made with --log-driver none"
                                             : "it has the streams of who started it"),
            .hint = monitored
                        ? "make it without --log-driver none; knarr attach shows a terminal"
                        : "one of a bundle, or of knarr run --rm without -t, writes to the output "
                          "of its knarr run or create"});
    }
    const std::string log_dir = log_dir_of(seen.record.data_dir);
    std::optional<sys::DirWatch> watch;
    if (request.follow) {
        watch.emplace(KNARR_TRY(sys::DirWatch::open_or_tick()));
        KNARR_TRY(watch->add(path_of(context, id.text())), "log");
    }
    std::optional<sys::Fd> dir =
        KNARR_TRY(open_log(context, id, log_dir, watch, request.cancel_fd));
    if (!dir) {
        return {};
    }
    if (watch) {
        KNARR_TRY(watch->add(log_dir), "log");
    }
    LogReader reader(context, std::move(*dir), request);
    KNARR_TRY(reader.begin());
    while (true) {
        const bool more = request.follow && KNARR_TRY(goes_on(context, id));
        KNARR_TRY(reader.read(sink));
        if (!more || reader.past_until() || !KNARR_TRY(watch->wait(request.cancel_fd))) {
            return {};
        }
    }
}

}  // namespace knarr::engine
