#include "engine/visit.h"

#include <algorithm>
#include <array>
#include <csignal>

#include <fcntl.h>

#include "core/fault.h"
#include "core/text.h"
#include "engine/attach_door.h"
#include "engine/live.h"
#include "engine/log_store.h"
#include "engine/monitor_start.h"
#include "engine/stop.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/pidfd.h"
#include "platform/unix_socket.h"

namespace knarr::engine {

namespace {

/// How long a new monitor may take to listen in the place of a dead one.
constexpr std::chrono::seconds kMonitorDelay{10};
constexpr int kReconnectMs = 200;

bool is_end(int signal) {
    return signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
}

}  // namespace

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
                                    sys::Ready{.fd = subject_.signals->fd().get()}};
    constexpr int kPieceMs = 1000;
    KNARR_TRY(sys::wait_ready(items, kPieceMs));
    auto packet = items[0].is_ready
                      ? KNARR_TRY(sys::receive_packet(subject_.socket, kAttachPacketBytes))
                      : std::optional<sys::Packet>();
    if (packet && packet->closed) {
        subject_.socket.reset();  // a monitor that was killed just then
    } else if (packet && packet->bytes.starts_with(kLog)) {
        log_ = std::move(packet->fd);
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
    if (ended_ || !subject_.process.valid()) {
        return true;
    }
    const auto ended = sys::wait_ended(subject_.process, std::chrono::milliseconds(0));
    return ended && *ended;
}

/// Errors: sys_errno ENOENT where the log is removed.
Result<> Visit::begin_show() {
    if (!subject_.reader) {
        sys::Fd dir =
            log_.valid()
                ? std::move(log_)
                : KNARR_TRY(sys::open_path(subject_.log_dir, O_RDONLY | O_DIRECTORY), "log");
        subject_.reader.emplace(context_, std::move(dir), LogRequest{});
    }
    if (subject_.from_beginning && !subject_.terminal) {
        KNARR_TRY(subject_.reader->keep_unread());
    }
    if (end_) {
        subject_.reader->end_at(*end_);
    }
    log_.reset();
    const StandardStreams all;
    show_.emplace(KNARR_TRY(LogShow::start(std::move(*subject_.reader),
                                           subject_.log_dir,
                                           subject_.terminal ? all : subject_.streams)));
    return {};
}

/// Gets the log ready to be shown and takes over the caller's terminal.
Result<> Visit::begin() {
    if (!shows()) {
        log_.reset();  // or its files would be kept for us as long as we are here
    }
    Result<> begun = shows() ? begin_show() : Result<>{};
    if (!begun && (begun.error().sys_errno != ENOENT || !has_ended())) {
        return begun;
    }
    if (request_.when_it_begins) {
        request_.when_it_begins(subject_.id.text());
    }
    if (ended_ || !begun) {
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
            std::move(master_),
            std::move(subject_.keys),
            request_.pass_input,
            subject_.from_beginning ? AttachClient::Screen::is_new
                                    : AttachClient::Screen::to_be_redrawn)));
    } else if (subject_.input.valid() && request_.pass_input) {
        client_.emplace(KNARR_TRY(AttachClient::at_pipe(std::move(subject_.input))));
    } else {
        subject_.input.reset();
    }
    return {};
}

Result<> Visit::hear_signals() {
    while (const auto signal = KNARR_TRY(subject_.signals->next())) {
        if (subject_.terminal && client_ && *signal == SIGWINCH) {
            client_->resize();
        } else if (subject_.terminal && client_ && *signal == SIGCONT) {
            client_->resume();
        } else if (!subject_.terminal && request_.pass_signals && !has_ended() &&
                   sys::is_forwardable(*signal)) {
            // One that has ended hears no signal; who waits for its monitor's word then may leave.
            static_cast<void>(sys::pidfd_send_signal(subject_.process, *signal));
        } else if (is_end(*signal)) {
            return fail(Error{
                .code = Errc::interrupted,
                .message = fmt::format("left by {}", sys::signal_name(*signal)),
                .hint = has_ended() ? "it has ended: knarr ps -a shows whether it is removed"
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
        const EndWord said = parse_end(packet->bytes);
        code_ = said.code;
        end_ = said.log;
        ended_ = is_told_ = true;
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
    std::array<sys::Ready, 4 + AttachClient::kItems> items;
    auto part = client_ ? client_->wants() : std::array<sys::Ready, AttachClient::kItems>{};
    items[0] = {.fd = subject_.signals->fd().get()};
    items[1] = {.fd = subject_.socket.get()};
    items[2] = {.fd = show_ && !shown_ ? show_->process().get() : -1};
    items[3] = {.fd = request_.cancel_fd};
    std::ranges::copy(part, items.begin() + 4);
    KNARR_TRY(sys::wait_ready(items, subject_.socket.valid() || ended_ ? -1 : kReconnectMs));
    std::copy(items.begin() + 4, items.end(), part.begin());
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
    if (items[3].is_ready) {
        return fail(Errc::interrupted, "left on request");
    }
    return {};
}

/// What was kept for us goes.
Result<> Visit::trim_log() const {
    if (!subject_.from_beginning || subject_.log_dir.empty()) {
        return {};
    }
    const sys::Fd dir = KNARR_TRY(sys::open_path(subject_.log_dir, O_RDONLY | O_DIRECTORY));
    const auto numbers = KNARR_TRY(log_numbers(dir));
    return numbers.empty() ? Result<>{} : remove_old_logs(dir, subject_.log_policy, numbers.back());
}

/// The program has ended: the rest is shown, and a container that is to be removed is waited for.
/// Either may take as long as it likes; the keys end the first, signals both.
Result<std::optional<int>> Visit::finish() {
    if (show_) {
        show_->finish(end_);
    }
    shown_ = !show_;
    while (!shown_) {
        KNARR_TRY(serve());
        if (wants_to_leave()) {
            return std::nullopt;
        }
    }
    static_cast<void>(trim_log());  // which the next run's writer does as well
    client_.reset();  // from here on the terminal is as it was, and Ctrl-C is a signal
    if (subject_.socket.valid()) {
        static_cast<void>(send_word(subject_.socket, kDone));
    }
    while (subject_.socket.valid()) {
        KNARR_TRY(serve());
    }
    const std::optional<int> known = code_ ? code_ : KNARR_TRY(code());
    tell_why(known);
    return known;
}

/// One that was killed for want of memory.
void Visit::tell_why(std::optional<int> code) const {
    constexpr int kKilled = 128 + SIGKILL;
    if (code != kKilled) {
        return;
    }
    const auto seen = look(context_, subject_.id);
    if (seen && *seen && (*seen)->record.life && !(*seen)->record.life->oom_text.empty()) {
        context_.warn((*seen)->record.life->oom_text);
    }
}

/// The code of one that has ended, from whoever knows it.
Result<std::optional<int>> Visit::code() {
    if (is_told_ && subject_.process.valid()) {
        // Its monitor does not know; by now it may run again, and that end is not this one.
        if (const auto told = sys::exit_of_stranger(subject_.process)) {
            return told->code();
        }
        return fail(Errc::not_found, "it has ended, and nobody saw with which exit code");
    }
    auto ended =
        await_end(context_, subject_.id, subject_.process.valid() ? &subject_.process : nullptr);
    if (ended ? ended->has_value() : ended.error().code != Errc::not_found) {
        return ended;
    }
    return fail(Errc::not_found, "it has ended, and nobody saw with which exit code");
}

/// By the keys, or when all is passed on where nothing is shown.
bool Visit::wants_to_leave() const {
    return (client_ && client_->wants_to_leave()) ||
           (!shows() && (!client_ || client_->is_input_over()));
}

Result<std::optional<int>> Visit::make() {
    if (!subject_.signals) {
        subject_.signals.emplace(KNARR_TRY(sys::SignalFd::open()));
    }
    KNARR_TRY(greet());
    KNARR_TRY(fault_point("attach.greeted"));
    if (subject_.socket.valid()) {
        KNARR_TRY(hear_monitor());  // who comes late is told of the end at once
    }
    KNARR_TRY(begin());
    if (show_) {
        show_->begin();
    }
    while (!ended_) {
        if (wants_to_leave()) {
            return std::nullopt;
        }
        KNARR_TRY(serve());
    }
    return shows() ? finish() : std::optional<int>();
}

}  // namespace knarr::engine
