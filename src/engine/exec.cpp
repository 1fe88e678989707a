#include "engine/exec.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/text.h"
#include "engine/attend.h"
#include "engine/console.h"
#include "engine/detach_keys.h"
#include "engine/exec_process.h"
#include "engine/flow_io.h"
#include "engine/handed_over.h"
#include "engine/kept_config.h"
#include "engine/live.h"
#include "engine/never_ran.h"
#include "engine/seccomp_agent.h"
#include "platform/file.h"
#include "platform/host_facts.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/socket.h"
#include "platform/standard_stream.h"
#include "runtime/launch/launch.h"
#include "runtime/runtime.h"

namespace knarr::engine {

namespace {

/// The container that is entered. No lock is held: execs run side by side, and what they enter is
/// held by a descriptor of its first process.
struct Target {
    sys::Fd dir;
    Record record;
    KeptConfig kept;
    sys::Fd process;
};

Result<> check_state(const Record& record, const Live& live, const ExecRequest& request) {
    if (live.state == ContainerState::paused && request.ignore_paused) {
        return {};
    }
    if (live.state == ContainerState::paused) {
        return fail(Error{
            .code = Errc::wrong_state,
            // runc's words, which its callers look for.
            .message = fmt::format("container {}: cannot exec in a paused container", record.id),
            .hint = "resume it first (knarr resume), or give --ignore-paused to let the "
                    "program wait"});
    }
    KNARR_TRY(next_state(record, live, Transition::exec));
    return {};
}

Result<Target> find_target(const Context& context,
                           const ContainerId& id,
                           const ExecRequest& request) {
    sys::Fd dir = KNARR_TRY(context.root.open_dir(id));
    const std::string path = path_of(context, id.text());
    auto record = KNARR_TRY(load_record(dir, path));
    if (!record) {
        return no_such_container(id);
    }
    if (record->status == ContainerState::creating && KNARR_TRY(context.root.is_locked(dir))) {
        // A `run` writes down that its program runs when it has been running for a moment, and may
        // have said so: its next word is waited for.
        record = KNARR_TRY(hold(context, id)).record;
    }
    Live live = KNARR_TRY(live_state(*record, LockHolder::none));
    KNARR_TRY(check_state(*record, live, request));
    Result<KeptConfig> kept = load_kept_config(dir);
    if (!kept) {
        return fail(std::move(kept).error().within(path).advise(
            "what a further process needs is damaged, and none runs with less protection than the "
            "container has: create the container again"));
    }
    kept->config.annotations = record->annotations;
    return Target{.dir = std::move(dir),
                  .record = std::move(*record),
                  .kept = std::move(*kept),
                  .process = std::move(live.process)};
}

/// What runs in the end becomes the process of `target`.
Result<> choose_process(Target& target, const ExecRequest& request) {
    const auto& life = target.record.life;
    const ExecBase base{
        .of_image = !target.record.image.empty() && request.process_file.empty(),
        .own_home = life && life->asked &&
                    std::ranges::find(life->asked->implied, "HOME") != life->asked->implied.end(),
        .groups = life && life->asked && request.process_file.empty() ? life->asked->groups
                                                                      : std::vector<std::string>()};
    spec::Process process =
        KNARR_TRY(base_process(request, target.kept.config.process.value_or(spec::Process{}), base),
                  "process");
    UserFiles files;
    if (needs_user_files(process, request, base)) {
        files = KNARR_TRY(read_user_files(target.record.pid, target.process));
    }
    KNARR_TRY(change_process(process, request, files, base));
    target.kept.config.process = std::move(process);
    return {};
}

Result<runtime::LaunchPlan> make_plan(Target& target, const ExecRequest& request) {
    const runtime::Kind* kind = KNARR_TRY(runtime::select(target.record.isolation));
    const sys::HostFacts host = KNARR_TRY(sys::probe_host());
    return kind->plan_exec({.id = target.record.id,
                            .pid = target.record.pid,
                            .config = target.kept.config,
                            .seccomp = std::move(target.kept.seccomp),
                            .rootfs = target.record.rootfs,
                            .cgroup = target.record.cgroup ? &*target.record.cgroup : nullptr,
                            .unit = target.record.unit ? &*target.record.unit : nullptr,
                            .resctrl = target.record.resctrl ? &*target.record.resctrl : nullptr,
                            .sub_cgroups = request.cgroups,
                            .no_new_keyring = target.record.no_new_keyring,
                            .preserve_fds = request.preserve_fds},
                           host);
}

/// Whose input the program's terminal gets.
Relay::Input input_of(const Record& record, const ExecRequest& request) {
    return record.image.empty() || request.pass_input ? Relay::Input::any : Relay::Input::keys;
}

/// Who has the other side of the program's terminal, where we are to have it.
struct OtherSide {
    std::optional<Relay> relay;     ///< of one in the foreground
    std::optional<sys::Fd> master;  ///< of one that we leave
};

Result<OtherSide> let_run(const runtime::Launched& launched,
                          const ExecRequest& request,
                          const Target& target,
                          Console& console,
                          PidfdReceivers& receivers) {
    KNARR_TRY(fault_point("exec.launched"));
    KNARR_TRY(receivers.send(launched.pidfd));
    if (!request.pid_file.empty()) {
        KNARR_TRY(write_pid_file(request.pid_file, launched.pid));
    }
    std::string keys = request.detach_keys.empty()
                           ? std::string()
                           : KNARR_TRY(parse_detach_keys(request.detach_keys));
    OtherSide other{
        .relay = request.detach
                     ? std::optional<Relay>()
                     : KNARR_TRY(console.start_relay(
                           launched.gate, std::move(keys), input_of(target.record, request))),
        .master = request.detach ? KNARR_TRY(console.receive(launched.gate)) : std::nullopt};
    const runtime::ListenerAgent agent =
        KNARR_TRY(seccomp_agent(target.dir, target.record, "running", launched.pid));
    KNARR_TRY(runtime::open_gate(launched.gate, agent));
    KNARR_TRY(fault_point("exec.gate"));
    return other;
}

/// Lets the program run; a process that must not go on is killed here.
Result<OtherSide> go(const runtime::Launched& launched,
                     const ExecRequest& request,
                     const Target& target,
                     Console& console,
                     PidfdReceivers& receivers) {
    Result<OtherSide> other = let_run(launched, request, target, console, receivers);
    if (!other) {
        sys::kill_and_reap(launched.pidfd);
    }
    return other;
}

void kill_all(const runtime::Launched& launched) {
    sys::kill_group(launched.pid);
    sys::kill_and_reap(launched.pidfd);
}

Result<int> time_out(const runtime::Launched& launched, std::chrono::milliseconds limit) {
    kill_all(launched);
    return fail(Errc::timed_out,
                "the program ran longer than {} s and was killed with its process group",
                std::chrono::duration<double>(limit).count());
}

/// The caller leaves, the program stays: a process of ours holds its terminal until it has ended,
/// and takes what it writes there.
Result<int> leave(const sys::Fd& master) {
    sys::Pipe away = KNARR_TRY(sys::make_pipe());
    const sys::Clone keeper = KNARR_TRY(sys::clone_process(0));
    if (!keeper.in_child()) {
        // The end of a session's first process, which we may be, hangs up whoever is still in it.
        away.write.reset();
        std::array<char, 1> nothing{};
        static_cast<void>(sys::read_some(away.read, nothing));
        return 0;
    }
    sys::new_session();
    sys::reset_signals(nullptr);
    static_cast<void>(sys::null_standard_streams());
    static_cast<void>(sys::keep_only({master.get()}));
    std::array<char, 4096> taken{};
    while (true) {
        std::array<sys::Ready, 1> items{sys::Ready{.fd = master.get()}};
        if (!sys::wait_ready(items, -1) || read_ready(master, taken) == std::size_t{0}) {
            _exit(0);
        }
    }
}

Result<int> exec(const Context& context, Target target, const ExecRequest& request) {
    KNARR_TRY(choose_process(target, request));
    const bool of_image = !target.record.image.empty();
    // As docker has it: who attaches to nothing needs no socket, and a process of ours holds it.
    const Stay stay = request.detach && !of_image ? Stay::leaves : Stay::foreground;
    const ConsoleWay way = KNARR_TRY(
        choose_console(target.kept.config.process->terminal, request.console_socket, stay));
    const runtime::LaunchPlan plan = KNARR_TRY(make_plan(target, request));
    for (const std::string& warning : plan.warnings) {
        context.warn(warning);
    }
    runtime::LaunchIo io;
    io.target = std::move(target.process);
    PidfdReceivers receivers;
    KNARR_TRY(receivers.add(request.pidfd_socket, "pidfd socket"));
    if (of_image && !request.pass_input && way == ConsoleWay::none) {
        io.stdio[0] = KNARR_TRY(sys::open_null(O_RDWR));
    }
    Console console = KNARR_TRY(Console::open(way, request.console_socket));
    io.console_socket = console.take_socket();
    // Held back from before there is a process: a signal meanwhile is forwarded when it runs.
    std::optional<sys::SignalFd> signals;
    if (!request.detach) {
        signals.emplace(KNARR_TRY(sys::SignalFd::open()));
    }
    const runtime::Launched launched = KNARR_TRY(runtime::launch_into(plan, std::move(io)));
    OtherSide other = KNARR_TRY(go(launched, request, target, console, receivers), "exec");
    if (request.detach) {
        return other.master ? leave(*other.master) : Result<int>(0);
    }
    std::optional<Relay>& relay = other.relay;
    Result<std::optional<int>> attended =
        attend(*signals,
               launched.pidfd,
               {.relay = relay ? &*relay : nullptr, .cancel_fd = request.cancel_fd},
               request.timeout);
    if (!attended && attended.error().code == Errc::interrupted) {
        kill_all(launched);
    }
    const std::optional<int> code = KNARR_TRY(std::move(attended));
    if (!code && relay && relay->is_left()) {
        return leave(relay->leave());
    }
    relay.reset();  // an error that follows is for a terminal as it was
    return code ? Result<int>(*code) : time_out(launched, *request.timeout);
}

}  // namespace

Result<int> exec_in_container(const Context& context,
                              const ContainerId& id,
                              const ExecRequest& request) {
    KNARR_TRY(check_preserved_fds(request.preserve_fds));
    if (!request.detach_keys.empty()) {
        KNARR_TRY(parse_detach_keys(request.detach_keys));
    }
    if (context.before_seen) {
        KNARR_TRY(context.before_seen(), "exec");
    }
    Target target = KNARR_TRY(find_target(context, id, request));
    return KNARR_TRY(exec(context, std::move(target), request), "container {}", id.text());
}

}  // namespace knarr::engine
