#include "engine/attach.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>

#include "core/fault.h"
#include "core/text.h"
#include "engine/attach_client.h"
#include "engine/attach_door.h"
#include "engine/background.h"
#include "engine/detach_keys.h"
#include "engine/live.h"
#include "engine/log_show.h"
#include "engine/log_store.h"
#include "engine/monitor_start.h"
#include "engine/operate.h"
#include "engine/run_image.h"
#include "engine/stop.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/pidfd.h"
#include "platform/signal.h"
#include "platform/unix_socket.h"

namespace knarr::engine {

namespace {

/// How long a new monitor may take to listen in the place of a dead one.
constexpr std::chrono::seconds kMonitorDelay{10};
constexpr int kReconnectMs = 200;

Result<std::string> parse_keys(const AttachRequest& request) {
    return request.detach_keys.empty() ? Result<std::string>(std::string())
                                       : parse_detach_keys(request.detach_keys);
}

bool is_end(int signal) {
    return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

/// What is known of a container that somebody is about to be in front of.
struct Subject {
    ContainerId id;
    std::string keys;  // that leave it
    bool terminal = false;
    std::string log_dir;              // none: it is removed already
    std::optional<LogReader> reader;  // where the showing is to begin, if that was before
    sys::Fd socket;                   // to its monitor, if there was one from the beginning
    sys::Fd input;                    // the writing end of what its stdin reads; invalid: none
};

/// One visit to a container, from the greeting of its monitor on.
class Visit {
public:
    Visit(const Context& context, Subject subject, const AttachRequest& request, sys::Fd process)
        : context_(context),
          subject_(std::move(subject)),
          request_(request),
          process_(std::move(process)) {}

    Result<std::optional<int>> make();

private:
    bool connect();
    Result<bool> hear_greeting();
    Result<> greet();
    Result<> begin();
    Result<> begin_show();
    bool has_ended() const;
    Result<> hear_signals();
    Result<> hear_monitor();
    Result<> serve();
    void look_at_end();
    Result<std::optional<int>> finish();
    Result<std::optional<int>> code();

    const Context& context_;
    Subject subject_;
    const AttachRequest& request_;
    sys::Fd process_;  // the program's; invalid when it had ended before we came
    std::optional<sys::SignalFd> signals_;
    std::optional<LogShow> show_;
    std::optional<AttachClient> client_;
    sys::Fd master_;
    bool ended_ = false, shown_ = false;
    std::optional<int> code_;
};

/// Whether the monitor is reached; without waiting.
bool Visit::connect() {
    const auto dir = context_.root.open_dir(subject_.id);
    auto socket = dir ? sys::connect_at_once(*dir, kAttachSocket) : fail(dir.error());
    if (!socket) {
        return false;
    }
    subject_.socket = std::move(*socket);
    return true;
}

/// Waits a moment; whether the greeting came.
Result<bool> Visit::hear_greeting() {
    std::array<sys::Ready, 2> items{sys::Ready{.fd = subject_.socket.get()},
                                    sys::Ready{.fd = signals_->fd().get()}};
    constexpr int kPieceMs = 1000;
    KNARR_TRY(sys::wait_ready(items, kPieceMs));
    auto packet = items[0].is_ready
                      ? KNARR_TRY(sys::receive_packet(subject_.socket, kAttachPacketBytes))
                      : std::optional<sys::Packet>();
    if (packet && packet->closed) {
        subject_.socket.reset();  // a monitor that was killed just then
    } else if (packet && packet->bytes.starts_with(kFull)) {
        return fail(
            Error{.code = Errc::limit_exceeded,
                  .message = fmt::format("{} are attached to it already", AttachDoor::kMaxAttached),
                  .hint = "knarr logs -f shows what it writes, too"});
    } else if (packet) {
        master_ = std::move(packet->fd);
        return true;
    }
    return false;
}

/// Waits for the monitor's greeting. None when the container has ended.
Result<> Visit::greet() {
    sys::Patience patience{kMonitorDelay};
    while (!ended_) {
        if (!subject_.socket.valid() && !connect()) {
            look_at_end();
        } else if (KNARR_TRY(hear_greeting())) {
            return {};
        }
        KNARR_TRY(hear_signals());
        if (!ended_ && !patience.rest()) {
            return fail(Error{.code = Errc::timed_out,
                              .message = "its monitor does not answer",
                              .hint = "knarr inspect shows what is the matter with it"});
        }
    }
    return {};
}

bool Visit::has_ended() const {
    if (ended_ || !process_.valid()) {
        return true;
    }
    const auto ended = sys::wait_ended(process_, std::chrono::milliseconds(0));
    return ended && *ended;
}

/// Errors: sys_errno ENOENT where the log is removed.
Result<> Visit::begin_show() {
    if (!subject_.reader) {
        sys::Fd dir = KNARR_TRY(sys::open_path(subject_.log_dir, O_RDONLY | O_DIRECTORY), "log");
        subject_.reader.emplace(context_, std::move(dir), LogRequest{});
    }
    show_.emplace(KNARR_TRY(LogShow::start(std::move(*subject_.reader), subject_.log_dir)));
    return {};
}

/// Shows the log and takes over the caller's terminal.
Result<> Visit::begin() {
    Result<> shows = begin_show();
    if (!shows && (shows.error().sys_errno != ENOENT || !has_ended())) {
        return shows;
    }
    if (request_.when_it_begins) {
        request_.when_it_begins();
    }
    if (ended_ || !shows) {
        return {};  // without a log it is removed already, which its monitor has told
    }
    if (subject_.terminal && !master_.valid() && !has_ended()) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = "its terminal is gone: both monitors were killed while "
                                     "nobody was attached",
                          .hint = "knarr logs -f shows what it wrote; knarr restart gives it a "
                                  "new one"});
    }
    if (master_.valid()) {
        client_.emplace(KNARR_TRY(AttachClient::at_terminal(
            std::move(master_), std::move(subject_.keys), request_.pass_input)));
    } else if (subject_.input.valid() && request_.pass_input) {
        client_.emplace(KNARR_TRY(AttachClient::at_pipe(std::move(subject_.input))));
    } else {
        subject_.input.reset();
    }
    return {};
}

Result<> Visit::hear_signals() {
    while (const auto signal = KNARR_TRY(signals_->next())) {
        if (subject_.terminal && client_ && *signal == SIGWINCH) {
            client_->resize();
        } else if (subject_.terminal && client_ && *signal == SIGCONT) {
            client_->resume();
        } else if (!subject_.terminal && request_.pass_signals && !ended_ &&
                   sys::is_forwardable(*signal)) {
            // One that has ended meanwhile hears no signal.
            static_cast<void>(sys::pidfd_send_signal(process_, *signal));
        } else if (is_end(*signal)) {
            return fail(
                Error{.code = Errc::interrupted,
                      .message = fmt::format("left by {}", sys::signal_name(*signal)),
                      .hint = ended_ ? "it has ended: knarr ps -a shows whether it is removed"
                                     : "the program goes on: knarr attach, logs and stop find it"});
        }
    }
    return {};
}

Result<> Visit::hear_monitor() {
    auto packet = KNARR_TRY(sys::receive_packet(subject_.socket, kAttachPacketBytes));
    if (packet && packet->closed) {
        subject_.socket.reset();
    } else if (packet && packet->bytes.starts_with(kEnd)) {
        const auto number = parse_number(std::string_view(packet->bytes).substr(1), 255);
        code_ = number ? std::optional(static_cast<int>(*number)) : std::nullopt;
        ended_ = true;
    } else if (packet && packet->bytes.starts_with(kGreeting) && !packet->fd.valid() && client_ &&
               client_->terminal() != nullptr) {
        // Who was killed had the terminal. Fails where this one is killed, too, and the next asks.
        static_cast<void>(send_word(subject_.socket, kTerminal, client_->terminal()));
    }
    return {};
}

/// Where there is no monitor: the program's end, or a new one.
void Visit::look_at_end() {
    const auto seen = look(context_, subject_.id);
    if (!seen || !*seen || !(*seen)->live.process.valid()) {
        ended_ = true;
    } else {
        ensure_watched(context_, (*seen)->record);
    }
}

Result<> Visit::serve() {
    std::array<sys::Ready, 3 + AttachClient::kItems> items;
    auto part = client_ ? client_->wants() : std::array<sys::Ready, AttachClient::kItems>{};
    items[0] = {.fd = signals_->fd().get()};
    items[1] = {.fd = subject_.socket.get()};
    items[2] = {.fd = show_ && !shown_ ? show_->process().get() : -1};
    std::ranges::copy(part, items.begin() + 3);
    KNARR_TRY(sys::wait_ready(items, subject_.socket.valid() || ended_ ? -1 : kReconnectMs));
    std::copy(items.begin() + 3, items.end(), part.begin());
    if (client_) {
        client_->serve(part);
    }
    KNARR_TRY(hear_signals());
    if (items[1].is_ready) {
        KNARR_TRY(hear_monitor());
    } else if (!subject_.socket.valid() && !ended_ && !connect()) {
        look_at_end();
    }
    if (items[2].is_ready) {
        shown_ = true;
        KNARR_TRY(show_->end());
    }
    return {};
}

/// The program has ended: the rest is shown, and a container that is to be removed is waited for.
/// Either may take as long as it likes; the keys end the first, signals both.
Result<std::optional<int>> Visit::finish() {
    if (show_) {
        show_->finish();
    }
    shown_ = !show_;
    while (!shown_) {
        KNARR_TRY(serve());
        if (client_ && client_->wants_to_leave()) {
            return std::nullopt;
        }
    }
    client_.reset();  // from here on the terminal is as it was, and Ctrl-C is a signal
    if (subject_.socket.valid()) {
        static_cast<void>(send_word(subject_.socket, kDone));
    }
    while (subject_.socket.valid()) {
        KNARR_TRY(serve());
    }
    return code_ ? Result<std::optional<int>>(code_) : code();
}

/// The code of one that has ended, from whoever knows it.
Result<std::optional<int>> Visit::code() {
    auto ended = await_end(context_, subject_.id, process_.valid() ? &process_ : nullptr);
    if (ended ? ended->has_value() : ended.error().code != Errc::not_found) {
        return ended;
    }
    return fail(Errc::not_found, "it has ended, and nobody saw with which exit code");
}

Result<std::optional<int>> Visit::make() {
    signals_.emplace(KNARR_TRY(sys::SignalFd::open()));
    KNARR_TRY(greet());
    KNARR_TRY(fault_point("attach.greeted"));
    KNARR_TRY(begin());
    while (!ended_) {
        KNARR_TRY(serve());
        if (client_ && client_->wants_to_leave()) {
            return std::nullopt;
        }
    }
    return finish();
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
                          .hint = "knarr run -d, run -it and start make containers that can be "
                                  "attached to"});
    }
    return {};
}

Result<std::string> log_dir_for(const Context& context, const Record& record) {
    const Life& life = *record.life;
    const auto place =
        log_place(life.log, life.terminal, record.data_dir, path_of(context, record.id));
    if (!place) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "it was made with --log-driver none: what it writes is kept "
                                     "nowhere",
                          .hint = "leave out --log-driver none, or give it a terminal (-t)"});
    }
    return place->dir;
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
    Subject subject{.id = id, .keys = std::move(keys), .terminal = life.terminal};
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
    Visit visit(context, std::move(subject), request, std::move(seen.live.process));
    return KNARR_TRY(visit.make(), "{}", what);
}

Result<std::optional<int>> run_image_attached(const Context& context,
                                              const std::string& data_root,
                                              const RunRequest& request,
                                              const AttachRequest& attach,
                                              const Limits& limits,
                                              const PullProgressFn& progress) {
    std::string keys = KNARR_TRY(parse_keys(attach));
    Ends ends = KNARR_TRY(make_ends(!request.terminal));
    const std::string text = KNARR_TRY(run_image_in_background(
        context,
        data_root,
        request,
        limits,
        progress,
        {.socket = std::move(ends.sockets.theirs), .input = std::move(ends.input.read)}));
    const ContainerId id = KNARR_TRY(ContainerId::parse(text));
    const std::string what = "container " + text;
    Subject subject{.id = id, .keys = std::move(keys), .terminal = request.terminal};
    subject.socket = std::move(ends.sockets.ours);
    subject.input = std::move(ends.input.write);
    KNARR_TRY(fault_point("attach.started"), "{}", what);
    auto seen = KNARR_TRY(look_after_start(context, id));
    if (seen) {
        subject.log_dir = KNARR_TRY(log_dir_for(context, seen->record), "{}", what);
    }
    Visit visit(
        context, std::move(subject), attach, seen ? std::move(seen->live.process) : sys::Fd());
    return KNARR_TRY(visit.make(), "{}", what);
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
    Subject subject{.id = id, .keys = std::move(keys), .terminal = life.terminal};
    subject.log_dir = KNARR_TRY(log_dir_for(context, before.record), "{}", what);
    subject.reader = KNARR_TRY(reader_at_end(context, subject.log_dir), "{}", what);
    KNARR_TRY(start_container(
        context,
        data_root,
        id,
        {},
        {.socket = std::move(ends.sockets.theirs), .input = std::move(ends.input.read)}));
    subject.socket = std::move(ends.sockets.ours);
    subject.input = std::move(ends.input.write);
    auto seen = KNARR_TRY(look_after_start(context, id));
    Visit visit(
        context, std::move(subject), request, seen ? std::move(seen->live.process) : sys::Fd());
    return KNARR_TRY(visit.make(), "{}", what);
}

}  // namespace knarr::engine
