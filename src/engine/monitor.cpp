#include "engine/monitor.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fault.h"
#include "core/text.h"
#include "engine/attach_door.h"
#include "engine/ending.h"
#include "engine/kept_terminal.h"
#include "engine/live.h"
#include "engine/log_store.h"
#include "engine/prober.h"
#include "engine/rerun.h"
#include "engine/watch.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/patience.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/rest.h"
#include "platform/signal.h"
#include "platform/socket.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

using Event = WatchEvent::Kind;
using Effect = WatchEffect::Kind;

constexpr std::chrono::seconds kReapDelay{2}, kLaunchDelay{60};
/// More than a terminal holds, by the 4 KiB that it gives at once: past it others are writing.
constexpr int kDrainRounds = 256;
constexpr int kRetryMs = 1000;  // after what a full disk or another knarr stood in the way of

class Monitor {
public:
    Monitor(const Context& context, ContainerId id, const MonitorOrder& order)
        : context_(context),
          id_(std::move(id)),
          order_(order),
          launcher_(order.launcher),
          streams_(0) {}

    Result<> run();

private:
    void handle(const WatchEvent& event);
    void carry_out(const WatchEffect& effect);
    void trouble(const Error& error);

    bool keeps(pid_t child) const;
    void reap();
    void child_ended(const sys::Reaped& child);
    void launcher_ended(const sys::ExitStatus& status);
    std::optional<sys::Fd> hand_terminal_on();
    void stand_beside();
    Result<> take_standard_input();
    Result<> stand_by(sys::SignalFd& signals);
    Result<> take_over();
    Result<> watch(sys::SignalFd& signals);
    void look_at_process();
    void hold_streams();
    void receive_streams();
    void begin_attach();
    void take_terminal_back();
    void begin_probes();
    Result<> drain_terminal();
    bool is_waited_for();
    void serve_attached(const std::array<sys::Ready, AttachDoor::kItems>& ready);
    Result<> begin_log();
    enum class Amount : std::uint8_t { some, all_held };
    Result<> take(LogStream stream, Amount amount);
    void take_ready(bool terminal, std::array<bool, 2> streams);
    void drain();
    void conclude();
    void clear();
    void rest();
    void look_at_rest();
    void relaunch();
    Result<bool> take_lock();
    int patience_ms() const;
    bool wants_partner() const {
        return watch_.phase() == WatchPhase::running || watch_.phase() == WatchPhase::resting;
    }
    bool is_removed() const;

    const Context& context_;
    const ContainerId id_;
    const MonitorOrder order_;
    pid_t launcher_;
    Watch watch_;
    std::optional<RunOf> run_;
    Prober prober_;
    sys::Fd process_;  // the container's, where it is not our child
    sys::Fd partner_;  // who stands by; invalid: nobody yet
    std::string finished_;
    std::optional<int> code_;
    sys::Fd streams_;  // from the launcher; invalid: nothing more comes
    std::array<sys::Fd, 2> fifos_;
    std::optional<LogWriter> log_;
    KeptTerminal terminal_;
    bool lost_terminal_ = false;  // there is one, and nobody handed it on
    AttachDoor door_;
    sys::Fd attached_;  // from the beginning; not admitted yet
    sys::Fd lock_;      // of kMonitorLock: its open file is locked as long as this is open
    std::optional<sys::DirWatch> changes_;  // of the container's directory, while it rests
    std::int64_t due_ = 0;                  // when that ends, of steady_ms()
    pid_t relauncher_ = 0;                  // a child that launches the container again
    bool relaunched_ = false;
    bool left_ = false, retry_ = false;
    Clock::Steady next_partner_{};  // not before: one that ends at once is not started in a circle
};

void Monitor::trouble(const Error& error) {
    // Nobody reads what a monitor says; `knarr inspect` shows the last of it.
    context_.warn(error.message);
    retry_ = true;
}

void Monitor::handle(const WatchEvent& event) {
    for (const WatchEffect& effect : watch_.step(event)) {
        carry_out(effect);
    }
}

void Monitor::carry_out(const WatchEffect& effect) {
    switch (effect.kind) {
        case Effect::drain:
            prober_.end();
            finished_ = format_time(system_clock().wall());
            drain();
            return;
        case Effect::conclude:
            code_ = effect.code;
            conclude();
            return;
        case Effect::clear:
            clear();
            return;
        case Effect::rest:
            rest();
            return;
        case Effect::relaunch:
            relaunch();
            return;
        case Effect::look:
            log_.reset();
            run_.reset();
            process_.reset();
            fifos_ = {};
            terminal_.close();
            door_.close();
            if (Result<> taken = take_over(); !taken) {
                trouble(taken.error());
                left_ = true;
            }
            return;
        case Effect::leave:
            left_ = true;
            return;
    }
}

bool Monitor::is_removed() const {
    const auto dir = context_.root.open_dir(id_);
    return !dir && dir.error().code == Errc::not_found;
}

/// What is not reaped yet. The container's first process, which any child may be until its launcher
/// has ended: whoever gets our children when we are killed learns the exit code from it, so it
/// stays until that is recorded.
bool Monitor::keeps(pid_t child) const {
    switch (watch_.phase()) {
        case WatchPhase::launching:
            return launcher_ > 0 && child != launcher_;
        case WatchPhase::running:
        case WatchPhase::draining:
        case WatchPhase::concluding:
            return child == watch_.pid();
        default:
            return false;
    }
}

void Monitor::reap() {
    while (const auto child = sys::ended_child()) {
        if (!keeps(child->pid)) {
            sys::reap_child(child->pid);
            child_ended(*child);
        } else if (watch_.phase() == WatchPhase::launching) {
            const auto launcher = sys::reap_child(launcher_);
            if (!launcher) {
                return;
            }
            child_ended(*launcher);
        } else if (watch_.phase() == WatchPhase::running) {
            child_ended(*child);
        } else {
            return;
        }
    }
}

void Monitor::child_ended(const sys::Reaped& child) {
    if (prober_.took(context_, child.pid)) {
        return;
    }
    if (child.pid == launcher_) {
        launcher_ = 0;
        launcher_ended(child.status);
    } else if (child.pid == relauncher_) {
        relauncher_ = 0;
        handle({.kind = Event::attempted});
    } else {
        handle({.kind = Event::ended, .pid = child.pid, .code = child.status.code()});
    }
}

void Monitor::launcher_ended(const sys::ExitStatus& status) {
    const auto seen = look(context_, id_);
    // One that was killed when all was done may have said so already.
    const bool runs = seen && *seen && (*seen)->record.status == ContainerState::running;
    if ((status.signaled || status.value > 1) && !runs) {
        handle({.kind = Event::launch_killed});
        return;
    }
    if (status.value == 1 && !status.signaled) {
        handle({.kind = Event::launch_failed});
        return;
    }
    if (!seen || !*seen || (*seen)->record.pid == 0) {
        handle({.kind = Event::removed});  // whatever it was, it is not there any more
        return;
    }
    const Record& record = (*seen)->record;
    run_ = RunOf{.id = id_, .pid = record.pid, .start_ticks = record.pid_start_ticks};
    receive_streams();
    begin_probes();
    handle({.kind = Event::launched, .pid = record.pid});
}

Result<> Monitor::begin_log() {
    const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id_));
    const auto record = KNARR_TRY(load_record(dir, path_of(context_, id_.text())));
    if (!record || !record->life) {
        return fail(Errc::not_found, "container {} has no record", id_.text());
    }
    const Life& life = *record->life;
    const auto place =
        log_place(life.log, life.terminal, record->data_dir, path_of(context_, id_.text()));
    if (place) {
        log_.emplace(KNARR_TRY(LogWriter::open(dir, place->dir, place->policy)));
    }
    return {};
}

/// Takes in what the launcher sends, and holds it.
void Monitor::hold_streams() {
    while (streams_.valid()) {
        auto packet = sys::receive_packet(streams_, 16);
        if (packet && !*packet) {
            return;
        }
        if (!packet || (*packet)->closed) {
            streams_.reset();
            return;
        }
        const std::string& name = (*packet)->bytes;
        if (name == kTerminalEnd) {
            terminal_.hold(std::move((*packet)->fd));
            continue;
        }
        if (name == kTerminalLock) {
            terminal_.hold_lock(std::move((*packet)->fd));
            continue;
        }
        sys::Fd& place = name == kMonitorLock              ? lock_
                         : name == kAttachedEnd            ? attached_
                         : name == name_of(LogStream::out) ? fifos_[0]
                                                           : fifos_[1];
        place = std::move((*packet)->fd);
    }
}

void Monitor::begin_probes() {
    if (Result<> begun = prober_.begin(context_, *run_); !begun && !is_removed()) {
        trouble(begun.error());
    }
}

/// Opens what those attached need, once the container is ours.
void Monitor::begin_attach() {
    if (!lock_.valid() || (door_.is_open() && !(terminal_.is_held() && !terminal_.is_open()))) {
        return;
    }
    const auto dir = context_.root.open_dir(id_);
    Result<> begun = dir ? Result<>{} : fail(dir.error());
    if (begun && terminal_.is_held() && !terminal_.is_open()) {
        begun = terminal_.open(*dir);
    }
    if (begun && !door_.is_open()) {
        begun = door_.open(*dir);
    }
    if (!begun && !is_removed()) {
        trouble(begun.error());
    }
}

void Monitor::receive_streams() {
    hold_streams();
    if (!log_ && lock_.valid() && fifos_[0].valid() && fifos_[1].valid()) {
        if (Result<> begun = begin_log(); !begun) {
            trouble(begun.error());
        }
    }
    begin_attach();
    if (attached_.valid()) {
        door_.admit(std::move(attached_), terminal_.is_held() ? &terminal_.master() : nullptr);
    }
}

void Monitor::serve_attached(const std::array<sys::Ready, AttachDoor::kItems>& ready) {
    door_.serve(ready, terminal_.is_held() ? &terminal_.master() : nullptr);
    if (door_.given_back().valid()) {
        take_terminal_back();
    }
}

/// One who is attached has the terminal that was killed with the monitors before us.
void Monitor::take_terminal_back() {
    if (!lost_terminal_ || terminal_.is_held()) {
        door_.forget_given_back();  // another one was faster
        return;
    }
    const auto dir = context_.root.open_dir(id_);
    const auto taken = dir ? terminal_.take_back(*dir, door_.given_back()) : fail(dir.error());
    if (taken && !*taken) {
        retry_ = true;  // somebody looks whether it is locked
        return;
    }
    door_.forget_given_back();
    if (!taken) {
        trouble(taken.error());
        return;
    }
    lost_terminal_ = false;
    if (partner_.valid()) {
        // It was started without, and makes room for one that gets it.
        static_cast<void>(sys::pidfd_send_signal(partner_, SIGKILL));
        next_partner_ = {};
    }
}

/// What the program wrote to its terminal goes into the log.
Result<> Monitor::drain_terminal() {
    for (int round = 0; round < kDrainRounds && KNARR_TRY(terminal_.pump()); ++round) {
        KNARR_TRY(take(LogStream::out, Amount::all_held));
    }
    return {};
}

/// Takes some of what is in a stream, or all that is in it now.
Result<> Monitor::take(LogStream stream, Amount amount) {
    sys::Fd& fifo = fifos_[static_cast<std::size_t>(stream)];
    if (!fifo.valid() || !log_) {
        return {};
    }
    const auto more = KNARR_TRY(amount == Amount::some ? log_->take(stream, fifo)
                                                       : log_->take_held(stream, fifo));
    if (more == LogWriter::More::ended) {
        fifo.reset();
    }
    return {};
}

/// Takes some of what is ready.
void Monitor::take_ready(bool terminal, std::array<bool, 2> streams) {
    if (terminal) {
        const Result<bool> moved = terminal_.pump();
        if (!moved) {
            trouble(moved.error());
        }
        streams[0] = streams[0] || (moved && *moved);
    }
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        const bool ready = streams[static_cast<std::size_t>(stream)];
        if (Result<> taken = ready ? take(stream, Amount::some) : Result<>{}; !taken) {
            trouble(taken.error());
        }
    }
}

/// Takes what was written before the end. Who goes on writing, as in a pid namespace that does not
/// end with the container, is killed when that is over.
void Monitor::drain() {
    receive_streams();
    if (!log_ && fifos_[0].valid() && !is_removed()) {
        retry_ = true;  // what is in the streams waits until there is a log
        return;
    }
    Result<> taken = drain_terminal();
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        taken = taken ? take(stream, Amount::all_held) : std::move(taken);
    }
    if (!taken && !is_removed()) {
        trouble(taken.error());
        return;
    }
    handle({.kind = Event::drained});
}

void Monitor::conclude() {
    if (!run_) {
        handle({.kind = Event::removed});
        return;
    }
    if (is_waited_for()) {
        retry_ = true;
        return;
    }
    const Result<Ending> done = conclude_run(context_, *run_, code_, finished_);
    if (!done) {
        trouble(done.error());
        return;
    }
    door_.tell_end(code_);
    door_.close();
    terminal_.close();
    handle({.kind = *done == Ending::nothing    ? Event::removed
                    : *done == Ending::restarts ? Event::to_restart
                                                : Event::concluded});
}

/// Whether the log of one that is to be removed is still being read by those attached.
bool Monitor::is_waited_for() {
    const auto seen = look(context_, id_);
    if (!seen || !*seen || !(*seen)->record.auto_remove) {
        return false;  // the log stays; they are told when its end is recorded
    }
    door_.tell_end(code_);
    return door_.is_waited_for();
}

void Monitor::clear() {
    Result<> cleared = clear_killed_launch(context_, id_);
    if (cleared) {
        cleared = settle_launch(context_, id_);
    }
    if (!cleared) {
        trouble(cleared.error());
    }
    handle({.kind = due_of(context_, id_) ? Event::to_restart : Event::concluded});
}

/// False: somebody else has it.
Result<bool> Monitor::take_lock() {
    if (lock_.valid()) {
        return true;
    }
    const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id_));
    sys::Fd lock = KNARR_TRY(open_lock(dir, kMonitorLock));
    if (!KNARR_TRY(sys::try_lock(lock))) {
        return false;
    }
    lock_ = std::move(lock);
    return true;
}

void Monitor::rest() {
    const Result<bool> ours = take_lock();
    if (!ours || !*ours) {
        left_ = true;  // somebody else rests, or it is gone
        return;
    }
    Result<sys::DirWatch> changes = sys::DirWatch::open();
    if (changes && changes->add(path_of(context_, id_.text()))) {
        changes_ = std::move(*changes);
    }
    look_at_rest();
}

/// Whether the pause is over, or taken back.
void Monitor::look_at_rest() {
    if (changes_) {
        changes_->clear();
    }
    const auto due = due_of(context_, id_);
    if (!due) {
        changes_.reset();
        handle({.kind = Event::removed});
    } else if (steady_ms() >= *due) {
        changes_.reset();
        handle({.kind = Event::due});
    } else {
        due_ = *due;
    }
}

/// The one that launches it makes monitors of its own, who lock the container.
void Monitor::relaunch() {
    relaunched_ = true;
    lock_.reset();
    Result<pid_t> child = start_own_program({kAgainWord, order_.root, order_.id});
    if (!child) {
        trouble(child.error());
        static_cast<void>(rerun(context_, id_));  // at the price of memory
        handle({.kind = Event::attempted});
        return;
    }
    relauncher_ = *child;
}

/// How long to wait for whatever comes; -1: for ever.
int Monitor::patience_ms() const {
    if (watch_.phase() == WatchPhase::resting) {
        const std::int64_t left = std::max<std::int64_t>(due_ - steady_ms(), 0);
        return static_cast<int>(std::min<std::int64_t>(left, changes_ ? INT32_MAX : kRetryMs));
    }
    const bool soon = retry_ || (!partner_.valid() && wants_partner());
    if (const auto probe = prober_.patience_ms()) {
        return static_cast<int>(std::min<std::int64_t>(*probe, soon ? kRetryMs : INT32_MAX));
    }
    return soon ? kRetryMs : -1;
}

/// A socket by which one that is started gets the terminal, to which no path leads.
std::optional<sys::Fd> Monitor::hand_terminal_on() {
    if (!terminal_.is_held()) {
        return std::nullopt;
    }
    Result<sys::SocketPair> pair = sys::make_packet_pair(sys::OurEnd::never_blocks);
    Result<> sent =
        pair ? sys::send_packet(pair->ours, kTerminalLock, &terminal_.lock()) : fail(pair.error());
    if (sent) {
        sent = sys::send_packet(pair->ours, kTerminalEnd, &terminal_.master());
    }
    if (!sent) {
        trouble(sent.error());
        return std::nullopt;
    }
    return std::move(pair->theirs);
}

/// Starts one that stands by, as a child.
void Monitor::stand_beside() {
    const pid_t self = sys::own_pid();
    const std::optional<sys::Fd> terminal = hand_terminal_on();
    const auto program = sys::open_path("/proc/self/exe", O_RDONLY);
    Result<sys::Clone> clone =
        program ? sys::clone_process(0) : Result<sys::Clone>(fail(program.error()));
    if (!clone) {
        trouble(clone.error());
        return;
    }
    if (clone->in_child()) {
        const MonitorOrder order{.root = order_.root, .id = order_.id, .watching = self};
        static_cast<void>(execute_monitor(*program, order, terminal ? &*terminal : nullptr));
        _exit(1);
    }
    partner_ = std::move(clone->pidfd);
}

/// A container that is not our child: its end is seen by its pidfd, its exit code when somebody has
/// reaped it.
void Monitor::look_at_process() {
    const auto ended = sys::wait_ended(process_, std::chrono::milliseconds(0));
    if (!ended || !*ended) {
        return;
    }
    sys::Patience patience{kReapDelay};
    std::optional<sys::ExitStatus> status;
    do {
        reap();  // it may be ours after all: then that has told
        status = sys::exit_of_stranger(process_);
    } while (!status && watch_.phase() == WatchPhase::running && patience.rest());
    process_.reset();
    handle({.kind = Event::ended,
            .pid = watch_.pid(),
            .code = status ? std::optional(status->code()) : std::nullopt});
}

/// What the one before left: its place, the streams, the container.
Result<> Monitor::take_over() {
    sys::Patience patience{kLaunchDelay};
    while (true) {
        const auto seen = look(context_, id_);
        if (seen && *seen && (*seen)->live.state == ContainerState::creating) {
            reap();
            if (patience.rest()) {
                continue;  // its launcher is still at work
            }
        }
        const bool there = seen && *seen;
        if (there && (*seen)->record.status == ContainerState::creating) {
            handle({.kind = Event::launch_killed});
            return {};
        }
        if (!there && !relaunched_ && sys::has_children()) {
            reap();
            if (patience.rest()) {
                continue;  // a launcher that has not begun
            }
        }
        if (!there || (*seen)->record.status == ContainerState::stopped) {
            if (there) {
                KNARR_TRY(settle_launch(context_, id_));
            }
            handle({.kind = there && due_of(context_, id_) ? Event::to_restart : Event::removed});
            return {};
        }
        const Record& record = (*seen)->record;
        if (!KNARR_TRY(take_lock())) {
            left_ = true;  // somebody else was faster
            return {};
        }
        const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id_));
        run_ = RunOf{.id = id_, .pid = record.pid, .start_ticks = record.pid_start_ticks};
        if (!process_.valid()) {
            auto process =
                KNARR_TRY(sys::open_process_or_zombie(record.pid, record.pid_start_ticks));
            process_ = process ? std::move(*process) : sys::Fd();
        }
        for (const LogStream stream : {LogStream::out, LogStream::err}) {
            sys::Fd& fifo = fifos_[static_cast<std::size_t>(stream)];
            if (!fifo.valid() && record.life && (record.life->log.keep || record.life->terminal)) {
                fifo = KNARR_TRY(sys::open_fifo_at(dir, fifo_name(stream)));
            }
        }
        receive_streams();
        lost_terminal_ = record.life && record.life->terminal && !terminal_.is_held();
        begin_probes();
        handle({.kind = Event::launched, .pid = record.pid});
        reap();  // it may have ended as our child
        if (!process_.valid()) {
            handle({.kind = Event::ended, .pid = record.pid});
        }
        return {};
    }
}

/// Waits for the end of the one that watches, and holds what that would take with it.
Result<> Monitor::stand_by(sys::SignalFd& signals) {
    const auto watching = sys::pidfd_open(order_.watching);
    if (const auto dir = context_.root.open_dir(id_)) {
        // Later ones: the container is there. At first the launcher sends the ends.
        const auto record = load_record(*dir, path_of(context_, id_.text()));
        if (record && *record && (*record)->pid > 0) {
            auto process = sys::open_process_or_zombie((*record)->pid, (*record)->pid_start_ticks);
            process_ = process && *process ? std::move(**process) : sys::Fd();
            for (const LogStream stream : {LogStream::out, LogStream::err}) {
                auto fifo = sys::open_fifo_at(*dir, fifo_name(stream));
                fifos_[static_cast<std::size_t>(stream)] = fifo ? std::move(*fifo) : sys::Fd();
            }
        }
    }
    bool ended = !watching;
    while (!ended) {
        std::array<sys::Ready, 3> items;
        items[0] = {.fd = signals.fd().get()};
        items[1] = {.fd = streams_.get()};
        items[2] = {.fd = watching->get()};
        KNARR_TRY(sys::wait_at_rest(items, -1, [] {}));
        while (KNARR_TRY(signals.next())) {
            // Whatever it says: this one ends with the other.
        }
        hold_streams();
        ended = items[2].is_ready;
    }
    lock_.reset();
    return {};
}

Result<> Monitor::watch(sys::SignalFd& signals) {
    while (!left_) {
        if (!partner_.valid() && wants_partner() && system_clock().steady() >= next_partner_) {
            stand_beside();
            next_partner_ = system_clock().steady() + std::chrono::milliseconds(kRetryMs);
        }
        constexpr std::size_t kOwnItems = 8;
        std::array<sys::Ready, kOwnItems + AttachDoor::kItems> items;
        auto attached = door_.wants();
        std::ranges::copy(attached, items.begin() + kOwnItems);
        items[0] = {.fd = signals.fd().get()};
        items[1] = {.fd = streams_.get()};
        const bool logs = log_.has_value() && !retry_;
        items[2] = {.fd = logs ? fifos_[0].get() : -1};
        items[3] = {.fd = logs ? fifos_[1].get() : -1};
        items[4] = {.fd = partner_.get()};
        items[5] = {.fd = watch_.phase() == WatchPhase::running ? process_.get() : -1};
        items[6] = {.fd = changes_ ? changes_->fd().get() : -1};
        items[7] = {.fd = logs && terminal_.is_open() ? terminal_.master().get() : -1};
        KNARR_TRY(sys::wait_at_rest(items, patience_ms(), [this] {
            if (log_) {
                log_->release_memory();
            }
        }));
        const bool again = std::exchange(retry_, false);
        while (KNARR_TRY(signals.next())) {
            // A monitor ends with its container, and not because somebody asks it to.
        }
        receive_streams();
        std::copy(items.begin() + kOwnItems, items.end(), attached.begin());
        serve_attached(attached);
        take_ready(items[7].is_ready, {items[2].is_ready, items[3].is_ready});
        reap();
        if (items[5].is_ready) {
            look_at_process();
        }
        if (Result<> probed = prober_.work(order_.root); !probed) {
            trouble(probed.error());
        }
        if (items[4].is_ready) {
            partner_.reset();
        }
        if (watch_.phase() == WatchPhase::resting) {
            look_at_rest();
        }
        if (again && watch_.phase() == WatchPhase::draining) {
            drain();
        } else if (again && watch_.phase() == WatchPhase::concluding) {
            conclude();
        }
    }
    return {};
}

/// Our standard input is the launcher's socket or nothing. Its number stays taken when that is
/// closed: a file that is opened later and handed to a program would be in the way there.
Result<> Monitor::take_standard_input() {
    sys::Fd given = std::exchange(streams_, {});
    streams_ = KNARR_TRY(sys::duplicate(given));
    static_cast<void>(given.release());
    return sys::replace_fd(KNARR_TRY(sys::open_path("/dev/null", O_RDWR)), STDIN_FILENO);
}

Result<> Monitor::run() {
    KNARR_TRY(take_standard_input());
    sys::SignalFd signals = KNARR_TRY(sys::SignalFd::open());
    KNARR_TRY(sys::adopt_orphans());
    KNARR_TRY(sys::set_nonblocking(streams_));
    if (order_.watching > 0) {
        KNARR_TRY(stand_by(signals));
    }
    if (order_.launcher == 0) {
        KNARR_TRY(take_over());
    } else if (order_.beside > 0) {
        auto partner = sys::pidfd_open(order_.beside);
        partner_ = partner ? std::move(*partner) : sys::Fd();
    }
    return watch(signals);
}

}  // namespace

Context monitor_context(const StateRoot& root, const ContainerId& id) {
    return {.root = root, .warn = [&root, id](std::string_view text) {
                if (const auto dir = root.open_dir(id)) {
                    // If this fails, too, nothing is left to try.
                    static_cast<void>(
                        sys::replace_file(*dir, kTroubleFile, text, 0600, sys::Sync::file));
                }
            }};
}

Result<> monitor(const MonitorOrder& order) {
    const ContainerId id = KNARR_TRY(ContainerId::parse(order.id));
    const StateRoot root = KNARR_TRY(StateRoot::open(order.root));
    const Context context = monitor_context(root, id);
    return Monitor(context, id, order).run();
}

}  // namespace knarr::engine
