#include "runtime/launch/launch.h"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/text.h"
#include "core/trace.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/process_cgroup.h"
#include "platform/socket.h"
#include "platform/trampoline.h"
#include "platform/unix_socket.h"
#include "runtime/launch/child.h"
#include "runtime/launch/find_program.h"
#include "runtime/launch/host_mounts.h"
#include "runtime/launch/id_maps.h"
#include "runtime/launch/listener.h"
#include "runtime/launch/middle.h"
#include "runtime/launch/net_devices.h"
#include "runtime/launch/protocol.h"

namespace knarr::runtime {

namespace {

/// The parent's side of one launch.
class Launcher {
public:
    Launcher(const LaunchPlan& plan, LaunchIo io, const LaunchEvents& events)
        : plan_(plan),
          io_(std::move(io)),
          events_(events),
          ways_(plan.cgroup && !plan.unit ? sys::split_ways(*plan.cgroup) : sys::CgroupWays{}) {}

    Result<Launched> run() {
        Result<> done = prepare();
        if (done) {
            done = clone_child();
        }
        if (done) {
            done = walk_to_gate();
        }
        if (!done) {
            clean_up();
            return fail(std::move(done).error());
        }
        return Launched{.pid = child_.pid,
                        .pidfd = std::move(child_.pidfd),
                        .gate = io_.gate_listener.valid() ? sys::Fd() : std::move(socket_)};
    }

private:
    struct Joined {
        int type = 0;
        sys::Fd fd;
    };

    Result<> prepare() {
        for (const JoinNamespace& join : plan_.joins) {
            joins_.push_back(
                {.type = join.type, .fd = KNARR_TRY(sys::open_namespace(join.path, join.type))});
        }
        if (plan_.unit) {
            systemd_.emplace(KNARR_TRY(rpc::Systemd::connect(plan_.unit->scope.unit.bus)));
        }
        trampoline_ = KNARR_TRY(sys::make_trampoline());
        sys::SocketPair pair = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::blocks));
        socket_ = std::move(pair.ours);
        child_socket_ = std::move(pair.theirs);
        trace().mark("open what is joined, trampoline, socket");
        return {};
    }

    Result<> clone_child() {
        sys::Fd born_in;
        if (!ways_.born.dirs.empty()) {
            KNARR_TRY(make_cgroup(ways_.born));
            born_in = KNARR_TRY(sys::open_for_clone(ways_.born));
        }
        const auto flags =
            static_cast<std::uint64_t>(plan_.new_namespaces & ~namespaces_of_child(plan_));
        const sys::Fd* cgroup = born_in.valid() ? &born_in : nullptr;
        if (joins_.empty()) {
            child_ = KNARR_TRY(sys::clone_process(flags, cgroup), "start {}", plan_.id);
            if (child_.in_child()) {
                be_child();
            }
        } else {
            KNARR_TRY(clone_through_middle(flags, cgroup), "start {}", plan_.id);
        }
        child_socket_.reset();
        trace().mark("clone the first process");
        return {};
    }

    /// Joins are made by a process in between, so that ours stays where it is. The user namespace
    /// comes first where it is joined (the others then are its own), last where it is made.
    Result<> clone_through_middle(std::uint64_t flags, const sys::Fd* cgroup) {
        const sys::ToldPid told = KNARR_TRY(sys::ToldPid::make());
        const sys::Clone middle = KNARR_TRY(sys::clone_process(0));
        if (middle.in_child()) {
            be_middle(flags, cgroup, told);
        }
        child_socket_.reset();  // or the end of a child would not end the wait for it
        child_ = KNARR_TRY(await_child_of(middle, socket_, told));
        return {};
    }

    [[noreturn]] void be_middle(std::uint64_t flags,
                                const sys::Fd* cgroup,
                                const sys::ToldPid& told) {
        socket_.reset();
        Result<> done = shut_out_joined_users();
        for (const bool user_first : {true, false}) {
            for (const Joined& join : joins_) {
                if (done && (join.type == CLONE_NEWUSER) == user_first) {
                    done = sys::enter_namespace(join.fd, join.type);
                }
            }
        }
        if (done) {
            Result<sys::Clone> clone = sys::clone_process(flags | CLONE_PARENT, cgroup, &told);
            if (clone && clone->in_child()) {
                be_child();
            }
            done = clone ? send_child(child_socket_, clone->pid, clone->pidfd)
                         : Result<>(fail(std::move(clone).error()));
        }
        if (!done) {
            static_cast<void>(send_error(child_socket_, Message::failed, done.error()));
        }
        _exit(done ? 0 : 1);
    }

    /// A program in the user namespace that we join, with CAP_SYS_PTRACE and with our pids in
    /// sight, would have the host's files in us and in the child. Then our own files in /proc are
    /// the host's root's: what is written there and inherited comes first.
    Result<> shut_out_joined_users() {
        if (!plan_.joins_user_namespace()) {
            return {};
        }
        const sys::Fd proc = KNARR_TRY(open_host_proc());
        for (const Step& step : plan_.steps) {
            if (const auto* self = std::get_if<step::ProcSelf>(&step.operation)) {
                KNARR_TRY(
                    sys::write_file_at(proc, "self/" + self->file, self->text), "{}", step.name);
            }
        }
        return sys::set_dumpable(false);
    }

    [[noreturn]] void be_child() {
        socket_.reset();
        sys::Fd(io_.lock_fd).reset();  // else a killed parent would stay "at work" in us
        run_child({.plan = plan_,
                   .events = events_,
                   .io = io_,
                   .trampoline = trampoline_,
                   .socket = std::move(child_socket_),
                   .prepared = {},
                   .proc = {},
                   .root = {},
                   .empty = {},
                   .kernel_places = {}});
    }

    Result<> make_cgroup(const sys::CgroupPlan& part) {
        KNARR_TRY(sys::make_cgroup(part), "cgroup");
        made_.push_back(&part);
        trace().mark("make the cgroup and set its limits");
        return fault_point("launch.cgroup");
    }

    Result<> walk_to_gate() {
        KNARR_TRY(fault_point("launch.cloned"));
        if (systemd_) {
            // From here on systemd works, the child mounts and we write maps, all at once.
            KNARR_TRY(systemd_->start_scope(plan_.unit->scope, child_.pid));
            unit_asked_ = true;
            KNARR_TRY(fault_point("unit.asked"));
        }
        if (plan_.id_maps) {
            KNARR_TRY(write_id_maps(child_.pid, *plan_.id_maps));
        }
        if (plan_.own_user_namespace()) {
            KNARR_TRY(send_host_mounts(plan_, child_, socket_));
            trace().mark("open what the user namespace mounts");
        }
        std::vector<sys::Fd> entries;
        if (systemd_) {
            // Before the child becomes somebody else, whose process a user's manager cannot move.
            entries = KNARR_TRY(place_in_unit());
        }
        if (plan_.id_maps) {
            KNARR_TRY(send(socket_, Message::maps));
        }
        // The child mounts meanwhile.
        if (!ways_.entered.dirs.empty()) {
            KNARR_TRY(make_cgroup(ways_.entered));
            entries = KNARR_TRY(sys::open_entries(ways_.entered), "cgroup");
        }
        KNARR_TRY(join_resctrl());
        const Result<> told = send_entries(socket_, entries);
        if (told && events_.meanwhile) {
            KNARR_TRY(events_.meanwhile());
            trace().mark("keep what exec needs");
        }
        // Nobody else opens this gate, and no hook is told a state: the record need not wait.
        const bool hooks = !plan_.hooks.prestart.empty() || !plan_.hooks.create_runtime.empty() ||
                           !plan_.hooks.create_container.empty();
        const bool early = told && !io_.gate_listener.valid() && !hooks;
        if (early) {
            KNARR_TRY(record());
        }
        KNARR_TRY(told ? serve_child() : why_child_failed());
        trace().mark("wait until it is ready");
        KNARR_TRY(fault_point("launch.ready"));
        if (!early) {
            KNARR_TRY(record());
        }
        return io_.gate_listener.valid() ? send(socket_, Message::recorded) : Result<>{};
    }

    Result<> record() {
        KNARR_TRY(events_.on_created(child_.pid));
        return fault_point("launch.recorded");
    }

    /// The class holds what the first process starts from here on.
    Result<> join_resctrl() {
        if (!plan_.resctrl) {
            return {};
        }
        resctrl_ = KNARR_TRY(sys::open_resctrl(*plan_.resctrl), "linux.intelRdt");
        Result<> made = sys::make_resctrl(resctrl_, *plan_.resctrl);
        if (!made) {
            resctrl_.reset();
            return fail(std::move(made).error().within("linux.intelRdt"));
        }
        KNARR_TRY(sys::join_resctrl(resctrl_, *plan_.resctrl, child_.pid), "linux.intelRdt");
        trace().mark("join a class of resctrl");
        return {};
    }

    /// The unit is there, or an error is: then its cgroup gets what systemd has no property for.
    /// The v1 directories that the child has to enter by itself: systemd knows some of them only.
    Result<std::vector<sys::Fd>> place_in_unit() {
        KNARR_TRY(systemd_->await_started(plan_.unit->scope, child_.pid));
        unit_started_ = true;
        trace().mark("wait for systemd's scope");
        KNARR_TRY(fault_point("unit.placed"));
        placed_ = *plan_.cgroup;
        KNARR_TRY(find_place());
        events_.on_placed(placed_);
        if (!plan_.unit->sub_cgroup.empty()) {
            // Before controllers are handed down to it: the unit's own cgroup must be empty then.
            sys::CgroupPlan bare = placed_;
            bare.enable.clear();
            bare.device_rules.clear();
            bare.dirs.front().writes.clear();
            KNARR_TRY(sys::make_cgroup(bare, sys::CgroupUse::placed), "cgroup");
            KNARR_TRY(sys::join_cgroup(bare, child_.pid), "cgroup");
        }
        KNARR_TRY(sys::make_cgroup(placed_, sys::CgroupUse::placed), "cgroup");
        trace().mark("set the limits of its cgroup");
        KNARR_TRY(fault_point("launch.cgroup"));
        if (placed_.v2) {
            return std::vector<sys::Fd>{};
        }
        // Of a v2 hierarchy beside v1 some systemds know nothing.
        const sys::CgroupWays ways = sys::split_ways(placed_);
        if (!ways.born.dirs.empty()) {
            KNARR_TRY(sys::join_cgroup(ways.born, child_.pid), "cgroup");
        }
        return KNARR_TRY(sys::open_entries(ways.entered), "cgroup");
    }

    /// Asks the kernel where systemd has put the child: where the plan expects it, or below the
    /// cgroup of a manager that stands elsewhere.
    Result<> find_place() {
        if (!placed_.v2) {
            return {};  // where the plan has it, in every hierarchy
        }
        const SystemdUnit& unit = *plan_.unit;
        const std::string is_in = KNARR_TRY(sys::v2_cgroup_of(child_.pid));
        sys::CgroupDir& dir = placed_.dirs.front();
        if (is_in + unit.sub_cgroup == dir.path) {
            return {};
        }
        if (!is_in.ends_with("/" + unit.scope.unit.name)) {
            return fail(Errc::unsupported,
                        "systemd unit {}: systemd started it, but process {} is in cgroup {}: "
                        "systemd is in another pid namespace than knarr",
                        unit.scope.unit.name,
                        child_.pid,
                        printable(is_in));
        }
        dir.path = is_in + unit.sub_cgroup;
        return {};
    }

    Result<> serve_child() {
        while (true) {
            std::optional<Packet> packet = KNARR_TRY(receive(socket_));
            if (!packet) {
                return why_child_died();
            }
            switch (packet->message) {
                case Message::ready:
                    return {};
                case Message::await_devices:
                    KNARR_TRY(move_net_devices());
                    static_cast<void>(send(socket_, Message::devices));
                    break;
                case Message::await_hooks:
                    KNARR_TRY(run_runtime_hooks());
                    // A child that is gone by now is found by the next receive, with its reason.
                    static_cast<void>(send(socket_, Message::hooks));
                    break;
                case Message::failed:
                    return fail(std::move(packet->error));
                default:
                    return fail(Errc::internal, "unexpected launch message");
            }
        }
    }

    /// The child's own failures arrive as messages: this is somebody else's doing, and the memory
    /// limit is who does it. A launch needs some hundred KiB inside the cgroup.
    Result<> why_child_died() {
        const sys::ExitStatus status = KNARR_TRY(sys::reap(child_.pidfd));
        child_.pidfd.reset();
        if (!status.signaled) {
            return fail(Errc::internal,
                        "the container's first process ended with {} while it was set up",
                        status.value);
        }
        const std::string limit = memory_limit();
        return fail(Error{.code = limit.empty() ? Errc::interrupted : Errc::limit_exceeded,
                          .message = fmt::format(
                              "the container's first process was killed (signal {}) while it "
                              "was set up{}",
                              status.value,
                              limit.empty() ? "" : "; its memory limit is " + limit + " bytes"),
                          .hint = limit.empty() ? "somebody killed it: try again"
                                                : "raise linux.resources.memory.limit (--memory)"});
    }

    std::string memory_limit() const {
        if (plan_.cgroup) {
            for (const sys::CgroupDir& dir : plan_.cgroup->dirs) {
                for (const sys::CgroupWrite& write : dir.writes) {
                    const bool limits =
                        write.file == "memory.limit_in_bytes" || write.file == "memory.max";
                    if (limits && write.text != "-1" && write.text != "max") {
                        return write.text;
                    }
                }
            }
        }
        return {};
    }

    /// The child closed the socket before we wrote: its reason is still in it.
    Result<> why_child_failed() {
        KNARR_TRY(serve_child());
        return fail(Errc::internal, "the container's first process left early");
    }

    Result<> move_net_devices() {
        const std::string path = fmt::format("/proc/{}/ns/net", child_.pid);
        sys::Fd netns = KNARR_TRY(sys::open_namespace(path, CLONE_NEWNET), "linux.netDevices");
        KNARR_TRY(net_devices_.move(plan_.net_devices, std::move(netns)));
        trace().mark("move network interfaces");
        return {};
    }

    Result<> run_runtime_hooks() {
        // Hooks written for prestart, the oldest point, were told "created" before the
        // specification knew "creating"; its validation programs still want that.
        KNARR_TRY(run_hooks(plan_.hooks.prestart,
                            "prestart",
                            events_.state_json("created", child_.pid),
                            io_.hook_output));
        return run_hooks(plan_.hooks.create_runtime,
                         "createRuntime",
                         events_.state_json("creating", child_.pid),
                         io_.hook_output);
    }

    void clean_up() {
        net_devices_.bring_back();  // before the end of the child can be the end of them
        if (child_.pidfd.valid()) {
            sys::kill_and_reap(child_.pidfd);
        }
        if (resctrl_.valid()) {
            static_cast<void>(sys::unmake_resctrl(resctrl_, *plan_.resctrl));
        }
        // The error on the way out is the one that matters: a unit without processes ends anyway.
        // One of that name that somebody else has is left alone.
        if (unit_asked_) {
            static_cast<void>(systemd_->kill_and_stop(plan_.unit->scope.unit));
        }
        if (unit_started_) {
            static_cast<void>(sys::remove_cgroup(placed_));
        }
        for (const sys::CgroupPlan* part : made_) {
            // The error on the way out is the one that matters; whoever deletes the container
            // tries again.
            static_cast<void>(sys::remove_cgroup(*part));
        }
    }

    const LaunchPlan& plan_;
    LaunchIo io_;
    const LaunchEvents& events_;
    std::vector<Joined> joins_;
    sys::Fd trampoline_;
    sys::Fd socket_, child_socket_;
    sys::Clone child_;
    sys::CgroupWays ways_;
    std::optional<rpc::Systemd> systemd_;
    bool unit_asked_ = false, unit_started_ = false;
    sys::Fd resctrl_;  // valid: the class is made
    MovedDevices net_devices_;
    sys::CgroupPlan placed_;                    // the unit's cgroup, where it is
    std::vector<const sys::CgroupPlan*> made_;  // parts of ways_, to be removed on failure
};

}  // namespace

Result<Launched> launch(const LaunchPlan& plan, LaunchIo io, const LaunchEvents& events) {
    return Launcher(plan, std::move(io), events).run();
}

Result<> open_gate(const sys::Fd& gate, const ListenerAgent& agent) {
    KNARR_TRY(send(gate, Message::go), "open the gate");
    if (agent.path.empty()) {
        // Nothing needs an answer: no need to wake up for each message.
        KNARR_TRY(sys::wait_hang_up(gate), "start");
    }
    std::optional<Error> suspect;
    while (true) {
        std::optional<Packet> packet = KNARR_TRY(receive(gate), "start");
        if (!packet) {
            return {};  // closed by a successful execve
        }
        switch (packet->message) {
            case Message::listener:
                KNARR_TRY(serve_listener(gate, packet->fd, agent));
                break;
            case Message::suspect:
                suspect = std::move(packet->error);
                break;
            case Message::exec_errno:
                return fail(explain_exec(std::move(packet->error), std::move(suspect)));
            default:
                return fail(std::move(packet->error));
        }
    }
}

Result<> open_gate_at(const sys::Fd& state_dir,
                      const std::string& socket_name,
                      const ListenerAgent& agent) {
    const sys::Fd gate = KNARR_TRY(sys::connect_at(state_dir, socket_name));
    return open_gate(gate, agent);
}

Result<sys::Fd> listen_gate(const sys::Fd& state_dir, const std::string& socket_name) {
    return sys::listen_at(state_dir, socket_name);
}

}  // namespace knarr::runtime
