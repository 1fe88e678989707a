#include "engine/monitor.h"

#include <algorithm>
#include <array>
#include <vector>

#include "core/clock.h"
#include "core/text.h"
#include "engine/ending.h"
#include "engine/held_streams.h"
#include "engine/live.h"
#include "engine/monitor_children.h"
#include "engine/monitor_context.h"
#include "engine/monitor_partner.h"
#include "engine/monitor_rest.h"
#include "engine/own_log.h"
#include "engine/prober.h"
#include "engine/rerun.h"
#include "engine/watch.h"
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
constexpr std::string_view kMonitorOp = "monitor";
constexpr int kRetryMs = 1000;  // after what a full disk or another knarr stood in the way of

class Monitor {
public:
    Monitor(const Context& context, ContainerId id, const MonitorOrder& order)
        : context_(context),
          id_(std::move(id)),
          order_(order),
          children_(order.launcher),
          partner_(order_),
          streams_(context_, id_) {}

    Result<> run();

private:
    void handle(const WatchEvent& event);
    void carry_out(const WatchEffect& effect);
    void trouble(const Error& error);
    void note(std::string_view text) const;

    void reap();
    void child_ended(const sys::Reaped& child);
    void launcher_ended(const sys::ExitStatus& status);
    void stand_beside();
    Result<> take_over();
    Result<> watch(sys::SignalFd& signals);
    void look_at_process();
    void receive_streams();
    void take_terminal_back();
    void begin_probes();
    bool is_waited_for();
    void drain();
    void conclude();
    void clear();
    void rest();
    void look_at_rest();
    void relaunch();
    int patience_ms() const;
    bool wants_partner() const {
        return watch_.phase() == WatchPhase::running || watch_.phase() == WatchPhase::resting;
    }

    const Context& context_;
    const ContainerId id_;
    const MonitorOrder order_;
    MonitorChildren children_;
    Watch watch_;
    std::optional<RunOf> run_;
    Prober prober_;
    sys::Fd process_;  // the container's, where it is not our child
    MonitorPartner partner_;
    std::string finished_;
    std::optional<int> code_;
    HeldStreams streams_;
    MonitorRest rest_;
    bool relaunched_ = false;
    bool left_ = false, retry_ = false;
};

void Monitor::trouble(const Error& error) {
    // Few read a monitor's log; `knarr inspect` shows the last of it.
    context_.warn(error.message);
    retry_ = true;
}

void Monitor::note(std::string_view text) const {
    write_own_log(context_.monitor_log,
                  {.level = LogLevel::info, .text = text, .id = id_.text(), .op = kMonitorOp});
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
            streams_.let_go();
            run_.reset();
            process_.reset();
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

void Monitor::reap() {
    while (const auto child = children_.next(watch_.phase(), watch_.pid())) {
        child_ended(*child);
    }
}

void Monitor::child_ended(const sys::Reaped& child) {
    if (prober_.took(context_, child.pid)) {
        return;
    }
    switch (children_.forget(child.pid)) {
        case MonitorChildren::Who::launcher:
            launcher_ended(child.status);
            return;
        case MonitorChildren::Who::relauncher:
            handle({.kind = Event::attempted});
            return;
        case MonitorChildren::Who::other:
            handle({.kind = Event::ended, .pid = child.pid, .code = child.status.code()});
            return;
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
    note(fmt::format("watches process {}", record.pid));
    handle({.kind = Event::launched, .pid = record.pid});
}

void Monitor::receive_streams() {
    if (Result<> received = streams_.receive(); !received) {
        trouble(received.error());
    }
}

void Monitor::begin_probes() {
    if (Result<> begun = prober_.begin(context_, *run_); !begun && !is_removed(context_, id_)) {
        trouble(begun.error());
    }
}

/// One who is attached has the terminal that was killed with the monitors before us.
void Monitor::take_terminal_back() {
    const auto back = streams_.take_terminal_back();
    if (!back) {
        trouble(back.error());
        return;
    }
    retry_ = retry_ || *back == HeldStreams::Back::later;
    if (*back == HeldStreams::Back::held && partner_.is_there()) {
        partner_.replace();  // it was started without, and makes room for one that gets it
    }
}

void Monitor::drain() {
    const Result<bool> drained = streams_.drain();
    if (!drained) {
        trouble(drained.error());
    } else if (!*drained) {
        retry_ = true;
    } else {
        handle({.kind = Event::drained});
    }
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
    note(fmt::format("{}{}",
                     code_ ? fmt::format("has ended with exit code {}", *code_)
                           : "has ended, and nobody saw how",
                     *done == Ending::restarts ? ", and is to run again" : ""));
    streams_.tell_end(code_);
    streams_.close();
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
    streams_.tell_end(code_);
    return streams_.is_read();
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

void Monitor::rest() {
    const Result<bool> ours = streams_.take_lock();
    if (!ours || !*ours) {
        left_ = true;  // somebody else rests, or it is gone
        return;
    }
    rest_.begin(context_, id_);
    look_at_rest();
}

void Monitor::look_at_rest() {
    if (const auto event = rest_.look(context_, id_)) {
        handle({.kind = *event});
    }
}

/// The one that launches it makes monitors of its own, who lock the container.
void Monitor::relaunch() {
    relaunched_ = true;
    streams_.release_lock();
    Result<pid_t> child = start_own_program({kAgainWord, order_.root, order_.id}, order_.log);
    if (!child) {
        trouble(child.error());
        static_cast<void>(rerun(context_, id_));  // at the price of memory
        handle({.kind = Event::attempted});
        return;
    }
    children_.note_relauncher(*child);
}

/// How long to wait for whatever comes; -1: for ever.
int Monitor::patience_ms() const {
    if (watch_.phase() == WatchPhase::resting) {
        return rest_.patience_ms(kRetryMs);
    }
    std::int64_t wait = retry_ || streams_.is_behind() ? kRetryMs : INT32_MAX;
    if (!partner_.is_there() && wants_partner()) {
        wait = std::min<std::int64_t>(wait, MonitorPartner::kPauseMs);
    }
    wait = std::min<std::int64_t>(wait, prober_.patience_ms().value_or(INT32_MAX));
    return wait == INT32_MAX ? -1 : static_cast<int>(wait);
}

/// Starts one that stands by.
void Monitor::stand_beside() {
    Result<std::optional<sys::Fd>> handed = streams_.hand_terminal_on();
    if (!handed) {
        trouble(handed.error());
    }
    if (Result<> started = partner_.start(handed && *handed ? &**handed : nullptr); !started) {
        trouble(started.error());
    }
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

namespace {

/// Whether the container's record tells the same run in the same state.
bool is_still(const Context& context, const ContainerId& id, const Record& record) {
    const auto seen = look(context, id);
    return seen && *seen && (*seen)->record.status == record.status &&
           is_same_run((*seen)->record, record);
}

}  // namespace

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
        if (!KNARR_TRY(streams_.take_lock())) {
            left_ = true;  // somebody else was faster
            return {};
        }
        if (!is_still(context_, id_, record)) {
            // Who had it until just now has put the end down, and may be starting it again.
            streams_.release_lock();
            if (patience.rest()) {
                continue;
            }
            left_ = true;
            return {};
        }
        const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id_));
        run_ = RunOf{.id = id_, .pid = record.pid, .start_ticks = record.pid_start_ticks};
        if (!process_.valid()) {
            auto process =
                KNARR_TRY(sys::open_process_or_zombie(record.pid, record.pid_start_ticks));
            process_ = process ? std::move(*process) : sys::Fd();
        }
        // One that was in the foreground of a knarr has only what its caller gave it.
        const bool has_streams = record.life && record.life->monitored;
        if (has_streams && (record.life->log.keep || record.life->terminal)) {
            KNARR_TRY(streams_.open_fifos(dir));
        }
        receive_streams();
        if (has_streams && record.life->terminal) {
            streams_.note_lost_terminal();
        }
        begin_probes();
        note(fmt::format("has taken over, watches process {}", record.pid));
        handle({.kind = Event::launched, .pid = record.pid});
        reap();  // it may have ended as our child
        if (!process_.valid()) {
            handle({.kind = Event::ended, .pid = record.pid});
        }
        return {};
    }
}

Result<> Monitor::watch(sys::SignalFd& signals) {
    while (!left_) {
        if (wants_partner() && partner_.is_due()) {
            stand_beside();
        }
        constexpr std::size_t kOwnItems = 4;
        std::array<sys::Ready, kOwnItems + HeldStreams::kItems> items;
        auto streams = streams_.wants(!retry_);
        items[0] = {.fd = signals.fd().get()};
        items[1] = {.fd = partner_.fd()};
        items[2] = {.fd = watch_.phase() == WatchPhase::running ? process_.get() : -1};
        items[3] = {.fd = rest_.fd()};
        std::ranges::copy(streams, items.begin() + kOwnItems);
        KNARR_TRY(sys::wait_at_rest(items, patience_ms(), [this] { streams_.release_memory(); }));
        const bool again = std::exchange(retry_, false);
        while (KNARR_TRY(signals.next())) {
            // A monitor ends with its container, and not because somebody asks it to.
        }
        std::copy(items.begin() + kOwnItems, items.end(), streams.begin());
        if (Result<> served = streams_.serve(streams); !served) {
            trouble(served.error());
        }
        take_terminal_back();
        reap();
        if (items[2].is_ready) {
            look_at_process();
        }
        if (Result<> probed = prober_.work(context_, order_.root); !probed) {
            trouble(probed.error());
        }
        if (items[1].is_ready) {
            partner_.has_ended();
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

Result<> Monitor::run() {
    KNARR_TRY(streams_.take_standard_input());
    sys::SignalFd signals = KNARR_TRY(sys::SignalFd::open());
    KNARR_TRY(sys::adopt_orphans());
    if (order_.watching > 0) {
        process_ = KNARR_TRY(stand_by(context_, id_, order_.watching, signals, streams_));
    }
    if (order_.launcher == 0) {
        KNARR_TRY(take_over());
    } else if (order_.beside > 0) {
        partner_.take(order_.beside);
    }
    return watch(signals);
}

}  // namespace

Result<> monitor(const MonitorOrder& order) {
    const ContainerId id = KNARR_TRY(ContainerId::parse(order.id));
    const StateRoot root = KNARR_TRY(StateRoot::open(order.root));
    const Context context = monitor_context(root, id, order.log, kMonitorOp);
    Result<> watched = Monitor(context, id, order).run();
    if (!watched) {
        write_own_log(order.log,
                      {.text = watched.error().message, .id = order.id, .op = kMonitorOp});
    }
    return watched;
}

}  // namespace knarr::engine
