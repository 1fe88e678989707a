#include "engine/attach.h"

#include <cerrno>

#include <fcntl.h>

#include "core/fault.h"
#include "engine/attach_door.h"
#include "engine/background.h"
#include "engine/detach_keys.h"
#include "engine/live.h"
#include "engine/log_store.h"
#include "engine/monitor_start.h"
#include "engine/operate.h"
#include "engine/run_image.h"
#include "engine/visit.h"
#include "platform/file.h"

namespace knarr::engine {

namespace {

Result<std::string> parse_keys(const AttachRequest& request) {
    return request.detach_keys.empty() ? Result<std::string>(std::string())
                                       : parse_detach_keys(request.detach_keys);
}

Result<> check(const Seen& seen) {
    const Record& record = seen.record;
    if (seen.live.state == ContainerState::paused) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = "it is paused: nothing it is sent would be answered",
                          .hint = fmt::format("knarr unpause {}", record.id)});
    }
    if (seen.live.state != ContainerState::running) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = "it does not run",
                          .hint = record.image.empty()
                                      ? fmt::format("knarr start {}", record.id)
                                      : fmt::format("knarr start -a {}", record.id)});
    }
    if (!record.life || !record.life->monitored) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "its streams are those of the knarr that started it",
                          .hint =
                              "knarr run without --rm, run -d, run -t and start make containers "
                              "that can be attached to"});
    }
    return {};
}

Error no_log() {
    return Error{.code = Errc::unsupported,
                 .message = "it was made with --log-driver none: what it writes is kept nowhere",
                 .hint = "leave out --log-driver none, or give it a terminal (-t)"};
}

Result<std::string> log_dir_for(const Context& context, const Record& record) {
    const Life& life = *record.life;
    const auto place =
        log_place(life.log, life.terminal, record.data_dir, path_of(context, record.id));
    return place ? Result<std::string>(place->dir) : fail(no_log());
}

/// A reader at the end of what there is; nothing where there is no log yet.
Result<std::optional<LogReader>> reader_at_end(const Context& context, const std::string& dir) {
    auto opened = sys::open_path(dir, O_RDONLY | O_DIRECTORY);
    if (!opened && opened.error().sys_errno == ENOENT) {
        return std::nullopt;
    }
    LogRequest request;
    request.tail = 0;
    LogReader reader(context, KNARR_TRY(std::move(opened), "log"), std::move(request));
    KNARR_TRY(reader.begin());
    return reader;
}

/// A pair of sockets and, where the program reads what is piped to us, a pipe.
struct Ends {
    sys::SocketPair sockets;
    sys::Pipe input;
};
Result<Ends> make_ends(bool with_input) {
    Ends ends{.sockets = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::never_blocks)), .input = {}};
    if (with_input) {
        ends.input = KNARR_TRY(sys::make_pipe());
    }
    return ends;
}

/// Nothing when it has ended and is removed already: its monitor, who waits for our reading no
/// longer than a while, has told us of the end all the same.
Result<std::optional<Seen>> look_after_start(const Context& context, const ContainerId& id) {
    auto seen = look_at(context, id);
    if (!seen && seen.error().code == Errc::not_found) {
        return std::nullopt;
    }
    return KNARR_TRY(std::move(seen));
}

}  // namespace

Result<std::optional<int>> attach(const Context& context,
                                  const ContainerId& id,
                                  const AttachRequest& request) {
    const std::string what = "container " + id.text();
    std::string keys = KNARR_TRY(parse_keys(request));
    Seen seen = KNARR_TRY(look_at(context, id));
    KNARR_TRY(check(seen), "{}", what);
    const Life& life = *seen.record.life;
    Subject subject{.id = id,
                    .keys = std::move(keys),
                    .terminal = life.terminal,
                    .process = std::move(seen.live.process)};
    subject.log_dir = KNARR_TRY(log_dir_for(context, seen.record), "{}", what);
    subject.reader = KNARR_TRY(reader_at_end(context, subject.log_dir), "{}", what);
    if (life.keeps_stdin && !life.terminal && request.pass_input) {
        const sys::Fd dir = KNARR_TRY(context.root.open_dir(id), "{}", what);
        auto fifo = sys::open_at(dir, kStdinFifo, O_WRONLY | O_NONBLOCK | O_NOFOLLOW);
        // Not there: its input was piped by one who was attached from the beginning, and is over.
        // Without a reader: the program has closed it.
        const int why = fifo ? 0 : fifo.error().sys_errno;
        subject.input = why == ENOENT || why == ENXIO
                            ? sys::Fd()
                            : KNARR_TRY(std::move(fifo), "{}: its stdin", what);
    }
    ensure_watched(context, seen.record);
    Visit visit(context, std::move(subject), request);
    return KNARR_TRY(visit.make(), "{}", what);
}

Result<std::optional<int>> run_attached(const Context& context,
                                        const RunRequest& request,
                                        const AttachRequest& attach,
                                        const LaunchAttached& launch) {
    std::string keys = KNARR_TRY(parse_keys(attach));
    if (!request.log.keep && !request.terminal) {
        return fail(no_log());
    }
    Ends ends = KNARR_TRY(make_ends(!request.terminal && request.streams.in && attach.pass_input));
    std::optional<sys::SignalFd> signals;
    const auto hold_signals = [&]() -> Result<> {
        // One whose readiness is waited for may take for ever to be launched.
        if (request.service.notify_socket.empty()) {
            signals.emplace(KNARR_TRY(sys::SignalFd::open()));
        }
        return {};
    };
    const std::string text = KNARR_TRY(launch({.socket = std::move(ends.sockets.theirs),
                                               .input = std::move(ends.input.read),
                                               .before_launch = hold_signals}));
    const ContainerId id = KNARR_TRY(ContainerId::parse(text));
    const std::string what = "container " + text;
    Subject subject{.id = id,
                    .keys = std::move(keys),
                    .terminal = request.terminal,
                    .streams = request.streams,
                    .from_beginning = true,
                    .signals = std::move(signals)};
    subject.socket = std::move(ends.sockets.ours);
    subject.input = std::move(ends.input.write);
    KNARR_TRY(fault_point("attach.started"), "{}", what);
    auto seen = KNARR_TRY(look_after_start(context, id));
    if (seen) {
        subject.log_dir = KNARR_TRY(log_dir_for(context, seen->record), "{}", what);
        subject.log_policy = request.log;
        subject.process = std::move(seen->live.process);
    }
    Visit visit(context, std::move(subject), attach);
    return KNARR_TRY(visit.make(), "{}", what);
}

Result<std::optional<int>> run_image_attached(const Context& context,
                                              const std::string& data_root,
                                              const RunRequest& request,
                                              const AttachRequest& attach,
                                              const Limits& limits,
                                              const PullProgressFn& progress) {
    return run_attached(context, request, attach, [&](AttachedEnds ends) {
        return run_image_in_background(
            context, data_root, request, limits, progress, std::move(ends));
    });
}

Result<std::optional<int>> start_attached(const Context& context,
                                          const std::string& data_root,
                                          const ContainerId& id,
                                          const AttachRequest& request) {
    const std::string what = "container " + id.text();
    std::string keys = KNARR_TRY(parse_keys(request));
    Seen before = KNARR_TRY(look_at(context, id));
    if (!before.record.life) {
        return fail(Error{.code = Errc::unsupported,
                          .message = what + " was made from a bundle: its streams are those of its "
                                            "`create`",
                          .hint = "leave out --attach"});
    }
    if (before.live.process.valid()) {
        return attach(context, id, request);
    }
    const Life& life = *before.record.life;
    Ends ends = KNARR_TRY(make_ends(life.keeps_stdin && !life.terminal && request.pass_input));
    Subject subject{
        .id = id, .keys = std::move(keys), .terminal = life.terminal, .from_beginning = true};
    subject.log_dir = KNARR_TRY(log_dir_for(context, before.record), "{}", what);
    subject.log_policy = life.log;
    subject.reader = KNARR_TRY(reader_at_end(context, subject.log_dir), "{}", what);
    subject.signals.emplace(KNARR_TRY(sys::SignalFd::open(), "{}", what));
    KNARR_TRY(start_container(
        context,
        data_root,
        id,
        {},
        {.socket = std::move(ends.sockets.theirs), .input = std::move(ends.input.read)}));
    subject.socket = std::move(ends.sockets.ours);
    subject.input = std::move(ends.input.write);
    if (auto seen = KNARR_TRY(look_after_start(context, id))) {
        subject.process = std::move(seen->live.process);
    }
    Visit visit(context, std::move(subject), request);
    return KNARR_TRY(visit.make(), "{}", what);
}

}  // namespace knarr::engine
