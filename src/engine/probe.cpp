#include "engine/probe.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fault.h"
#include "engine/event_log.h"
#include "engine/exec.h"
#include "engine/health.h"
#include "engine/live.h"
#include "engine/operate.h"
#include "engine/stop.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/socket.h"
#include "platform/standard_stream.h"

namespace knarr::engine {

namespace {

using std::chrono::milliseconds;

constexpr const char* kProbeLock = "probe";  // in the container's directory
constexpr int kNoExitCode = -1;
/// Beyond the probe's timeout: for entering the container, which may stop those who enter.
constexpr milliseconds kEnterTime{10'000};
/// What is taken of what is in the pipe when the program has ended: more than one holds.
constexpr int kLastRounds = 256;

/// Takes in what a probe writes: its beginning is kept, the rest read and dropped, so that it never
/// waits for us.
class Output {
public:
    explicit Output(sys::Fd pipe) : pipe_(std::move(pipe)) {}
    int fd() const { return pipe_.get(); }

    /// What is there now; false when nothing more comes.
    Result<bool> take() {
        std::array<char, 4096> room{};
        const std::size_t got = KNARR_TRY(sys::read_some(pipe_, room));
        const std::size_t space =
            kMaxProbeOutputBytes - std::min(kept_.size(), kMaxProbeOutputBytes);
        kept_.append(room.data(), std::min(got, space));
        std::ranges::replace(kept_, '\0', '?');  // which no reader of JSON takes
        cut_ = cut_ || got > space;
        if (got == 0) {
            pipe_.reset();
        }
        return got > 0;
    }
    std::string text() && { return cut_ ? kept_ + "..." : std::move(kept_); }

private:
    sys::Fd pipe_;
    std::string kept_;
    bool cut_ = false;
};

std::string too_late(const HealthCheck& check) {
    return fmt::format("Health check exceeded timeout ({}s)",
                       std::chrono::duration<double>(check.timeout).count());
}

/// The child that runs the program and waits for it. Its exit status is the program's; where there
/// is none, `errors` says why.
[[noreturn]] void attend_program(const Context& context,
                                 const ContainerId& id,
                                 const HealthCheck& check,
                                 const sys::Fd& output,
                                 const sys::Fd& errors) {
    const auto run = [&]() -> Result<int> {
        const sys::Fd null = KNARR_TRY(sys::open_null(O_RDWR));
        KNARR_TRY(sys::replace_fd(null, STDIN_FILENO));
        KNARR_TRY(sys::replace_fd(output, STDOUT_FILENO));
        KNARR_TRY(sys::replace_fd(output, STDERR_FILENO));
        ExecRequest request;
        request.command = check.command;
        request.timeout = check.timeout;
        return exec_in_container(context, id, request);
    };
    const Result<int> code = run();
    if (!code) {
        const bool late = code.error().code == Errc::timed_out;
        static_cast<void>(sys::write_all(errors, late ? too_late(check) : code.error().message));
    }
    _exit(code.value_or(1));
}

/// Takes the output until the child has ended; false when its time was up before.
Result<bool> take_all(Output& output, const sys::Fd& child, milliseconds time) {
    const Clock::Steady deadline = system_clock().steady() + time;
    int rounds = kLastRounds;
    bool ended = false;
    while (true) {
        const auto left =
            std::chrono::ceil<milliseconds>(deadline - system_clock().steady()).count();
        if (left <= 0) {
            return ended;
        }
        std::array<sys::Ready, 2> items;
        items[0] = {.fd = output.fd()};
        items[1] = {.fd = ended ? -1 : child.get()};
        KNARR_TRY(sys::wait_ready(
            items, ended ? 0 : static_cast<int>(std::min<std::int64_t>(left, INT32_MAX))));
        ended = ended || items[1].is_ready;
        if (items[0].is_ready) {
            KNARR_TRY(output.take());
        }
        // What the program left behind may hold the pipe, and write into it, for ever.
        if (ended && (!items[0].is_ready || --rounds == 0)) {
            return true;
        }
    }
}

Result<ProbeResult> run_program(const Context& context,
                                const ContainerId& id,
                                const HealthCheck& check) {
    sys::Pipe pipe = KNARR_TRY(sys::make_pipe());
    sys::Pipe errors = KNARR_TRY(sys::make_pipe());
    ProbeResult result;
    result.start = format_time(system_clock().wall());
    const sys::Clone child = KNARR_TRY(sys::clone_process(0));
    if (child.in_child()) {
        pipe.read.reset();
        errors.read.reset();
        attend_program(context, id, check, pipe.write, errors.write);
    }
    pipe.write.reset();
    errors.write.reset();
    Output output(std::move(pipe.read));
    std::array<char, kMaxProbeOutputBytes> why{};
    if (!KNARR_TRY(take_all(output, child.pidfd, check.timeout + kEnterTime))) {
        sys::kill_and_reap(child.pidfd);  // and with it what has not become the program yet
        result.exit_code = kNoExitCode;
        result.output = too_late(check);
    } else {
        result.exit_code = KNARR_TRY(sys::reap(child.pidfd)).code();
        result.output = std::move(output).text();
        if (const std::size_t bytes = KNARR_TRY(sys::read_full(errors.read, why))) {
            result.exit_code = kNoExitCode;
            result.output = std::string(why.data(), bytes);
        }
    }
    result.end = format_time(system_clock().wall());
    return result;
}

/// Whether the run that was probed goes on, and nobody has asked for its end. That it is to run
/// again is written down before it is ended.
Result<bool> may_act(const Context& context, const ContainerId& id, const Seen& seen) {
    Held held = KNARR_TRY(hold(context, id));
    Record& record = held.record;
    const bool same = is_same_run(record, seen.record) && record.life;
    if (!same || record.life->restart.stopped_by != StoppedBy::nobody) {
        return false;
    }
    if (record.life->health && record.life->health->on_failure == HealthAction::restart) {
        step(record.life->restart, {.kind = RestartEvent::Kind::unhealthy}, steady_ms());
        KNARR_TRY(save_record(held.dir, record));
    }
    return true;
}

/// What is done about one that is unhealthy; after each failure, until it is done.
Result<> act(const Context& context, const ContainerId& id, const Seen& seen, HealthAction action) {
    KNARR_TRY(fault_point("probe.unhealthy"));
    if (action == HealthAction::none || !KNARR_TRY(may_act(context, id, seen))) {
        return {};
    }
    switch (action) {
        case HealthAction::none:
            return {};
        case HealthAction::kill:
            note_event(context, seen.record, "kill", {{"signal", "9"}});
            return kill_seen(seen, SIGKILL);
        case HealthAction::restart:
            KNARR_TRY(end_container(context, id, seen, {}));
            note_event(context, seen.record, "restart");
            return {};
        case HealthAction::stop:
            return stop_container(context, id, {});
    }
    return {};
}

}  // namespace

Result<ProbeResult> probe(const Context& context, const ContainerId& id) {
    if (context.before_seen) {
        KNARR_TRY(context.before_seen(), "probe");  // here: it may begin this program anew
    }
    const Seen seen = KNARR_TRY(look_at(context, id));
    const Record& record = seen.record;
    if (!record.life || !record.life->health || !record.life->monitored) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} has no health check", id.text()),
                          .hint = "give one: knarr run -d --health-cmd \"COMMAND\" ..."});
    }
    if (seen.live.state != ContainerState::running) {
        const bool paused = seen.live.state == ContainerState::paused;
        return fail(Error{
            .code = Errc::wrong_state,
            .message =
                fmt::format("container {} {}", id.text(), paused ? "is paused" : "does not run"),
            .hint = fmt::format("knarr {} {}", paused ? "unpause" : "start", id.text())});
    }
    const HealthCheck& check = *record.life->health;
    const sys::Fd dir = KNARR_TRY(context.root.open_dir(id));
    const sys::Fd lock =
        KNARR_TRY(sys::open_at(dir, kProbeLock, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    if (!KNARR_TRY(sys::try_lock(lock))) {
        return fail(Errc::wrong_state, "container {} is just being probed", id.text());
    }
    ProbeResult result = KNARR_TRY(run_program(context, id, check));
    if (KNARR_TRY(sys::wait_ended(seen.live.process, std::chrono::milliseconds(0)))) {
        return fail(Errc::wrong_state, "container {} has ended meanwhile", id.text());
    }
    HealthState state = load_health(dir, record.pid, record.pid_start_ticks);
    const HealthStatus before = state.status;
    step(state, check, result, steady_ms() - record.life->restart.started_ms);
    KNARR_TRY(sys::replace_file(dir, kHealthFile, encode_health(state), 0600, sys::Sync::file));
    KNARR_TRY(fault_point("probe.noted"));
    if (state.status != before) {
        note_event(context, record, fmt::format("health_status: {}", name_of(state.status)));
    }
    if (state.status == HealthStatus::unhealthy && result.exit_code != 0) {
        KNARR_TRY(act(context, id, seen, check.on_failure), "unhealthy");
    }
    return result;
}

}  // namespace knarr::engine
