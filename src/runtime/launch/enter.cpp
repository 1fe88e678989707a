// A launch into a running container (exec): the same child, steps and gate, but the jail is there.
//
//   parent                              middle process                child (in the container)
//   ----------------------------------- ----------------------------- ---------------------------
//   clone3, on v2 into the cgroup
//                                       steps `outside`, setns(pidfd)
//                                       clone3 with CLONE_PARENT
//                        <- child, pid  leaves                      v1: move itself into the
//                        cgroups
//                                                                     steps
//   ........................................ the gate .........................................
//   open_gate                                                  go ->  identity, execve
//
// The middle process is never in the container's pid namespace, the child never in the host's mount
// namespace, and the middle process closes all that leads to the host before it makes the child:
// nothing in the container can reach the host through /proc/PID of either. Both are not dumpable
// before the first namespace is entered (CVE-2016-9962), which does not stop CAP_SYS_PTRACE; for
// /proc/PID/exe see EngineOptions::before_seen.

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "core/fault.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/process_cgroup.h"
#include "platform/socket.h"
#include "platform/task.h"
#include "platform/trampoline.h"
#include "platform/user_namespace.h"
#include "runtime/launch/child.h"
#include "runtime/launch/middle.h"
#include "runtime/launch/protocol.h"

namespace knarr::runtime {

namespace {

/// A v2 cgroup that cannot hold processes: it hands controllers down, or a threaded one is near.
bool holds_no_processes(const Error& error) {
    return error.sys_errno == EBUSY || error.sys_errno == EOPNOTSUPP;
}

/// The parent's side of one launch into a container.
class Entrance {
public:
    Entrance(const LaunchPlan& plan, LaunchIo io)
        : plan_(plan),
          join_(*plan.join),
          io_(std::move(io)),
          ways_(plan.cgroup ? sys::split_ways(*plan.cgroup) : sys::CgroupWays{}) {}

    Result<Launched> run() {
        Result<> done = prepare();
        if (done) {
            done = clone_middle();
        }
        if (done) {
            done = await_child();
        }
        if (done) {
            done = place_child();
        }
        if (done && plan_.resctrl) {
            done = join_resctrl();
        }
        if (!done) {
            if (child_.pidfd.valid()) {
                sys::kill_and_reap(child_.pidfd);
            }
            return fail(std::move(done).error());
        }
        return Launched{
            .pid = child_.pid, .pidfd = std::move(child_.pidfd), .gate = std::move(socket_)};
    }

private:
    Result<> prepare() {
        trampoline_ = KNARR_TRY(sys::make_trampoline());
        told_ = KNARR_TRY(sys::ToldPid::make());
        proc_ = KNARR_TRY(open_host_proc());
        if (!join_.root.empty()) {
            root_ = KNARR_TRY(sys::open_path(join_.root, O_PATH | O_DIRECTORY), "root");
        }
        entries_ = KNARR_TRY(sys::open_entries(ways_.entered), "cgroup");
        sys::SocketPair pair = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::blocks));
        socket_ = std::move(pair.ours);
        child_socket_ = std::move(pair.theirs);
        return {};
    }

    /// Where a v2 container's first process has moved its processes into cgroups of its own, as
    /// systemd does, only one of those can be joined: that of the first process, as runc does.
    Result<sys::CgroupPlan> cgroup_of_first() const {
        const sys::CgroupDir& recorded = plan_.cgroup->dirs.front();
        const std::string path = KNARR_TRY(sys::v2_cgroup_of(join_.pid));
        if (!path.starts_with(recorded.path + "/") || path.find("/../") != std::string::npos) {
            return fail(Errc::unsupported,
                        "cgroup {}{} hands controllers down and so cannot hold processes, and the "
                        "container's first process is not below it but in {}",
                        recorded.mount_point,
                        recorded.path,
                        printable(path));
        }
        sys::CgroupPlan moved{.dirs = {recorded}, .v2 = true, .enable = {}, .device_rules = {}};
        moved.dirs.front().path = path;
        return moved;
    }

    Result<> clone_middle() {
        // With affinities the join has a before and an after: it is then made by a write.
        const bool born_inside =
            !ways_.born.dirs.empty() && (!ways_.born.v2 || join_.initial_cpus.empty());
        written_ = !born_inside && !ways_.born.dirs.empty();
        Result<sys::Clone> middle = born_inside ? clone_into(ways_.born) : sys::clone_process(0);
        if (!middle && born_inside && ways_.born.v2 && !join_.sub_cgroup &&
            holds_no_processes(middle.error())) {
            middle = clone_into(KNARR_TRY(cgroup_of_first(), "join the cgroup"));
        }
        if (!middle && born_inside && plan_.unit && middle.error().sys_errno == EACCES) {
            // We are outside of what is delegated to us, in a login session say: the manager of the
            // unit has the child moved.
            middle = sys::clone_process(0);
            by_systemd_ = true;
        }
        middle_ = KNARR_TRY(std::move(middle), "exec in {}", plan_.id);
        if (middle_.in_child()) {
            be_middle();
        }
        return {};
    }

    static Result<sys::Clone> clone_into(const sys::CgroupPlan& cgroup) {
        const sys::Fd dir = KNARR_TRY(sys::open_for_clone(cgroup));
        return sys::clone_process(0, &dir);
    }

    Result<> await_child() {
        child_socket_.reset();  // or the end of a child would not end the wait for it
        child_ = KNARR_TRY(await_child_of(middle_, socket_, told_));
        return fault_point("exec.cloned");
    }

    /// What is done to the child from outside while it walks through its steps.
    Result<> place_child() {
        if (by_systemd_) {
            const rpc::UnitName& unit = plan_.unit->scope.unit;
            const std::string& path = ways_.born.dirs.front().path;
            const std::size_t at = path.rfind("/" + unit.name);
            rpc::Systemd systemd = KNARR_TRY(rpc::Systemd::connect(unit.bus));
            return systemd.attach(
                unit.name,
                at == std::string::npos ? "" : path.substr(at + 1 + unit.name.size()),
                child_.pid);
        }
        if (!written_) {
            return {};
        }
        Result<> joined = sys::join_cgroup(ways_.born, child_.pid);
        if (!joined && ways_.born.v2 && !join_.sub_cgroup &&
            joined.error().code == Errc::unsupported) {
            joined = sys::join_cgroup(KNARR_TRY(cgroup_of_first()), child_.pid);
        }
        KNARR_TRY(std::move(joined));
        return set_final_cpus(child_.pid);
    }

    Result<> join_resctrl() const {
        const sys::Fd root = KNARR_TRY(sys::open_resctrl(*plan_.resctrl), "resctrl");
        KNARR_TRY(sys::join_resctrl(root, *plan_.resctrl, child_.pid), "resctrl");
        return {};
    }

    Result<> set_final_cpus(pid_t pid) const {
        if (!join_.final_cpus.empty()) {
            KNARR_TRY(sys::set_affinity(pid, join_.final_cpus), "process.execCPUAffinity.final");
        }
        return {};
    }

    /// What the child does first: not the middle process, which would count in pids.max.
    Result<> enter_cgroups() {
        for (const sys::Fd& entry : entries_) {
            KNARR_TRY(sys::enter_cgroup(entry));
        }
        entries_.clear();
        return written_ ? Result<>{} : set_final_cpus(0);
    }

    Child as_child() {
        return {.plan = plan_,
                .events = events_,
                .io = io_,
                .trampoline = trampoline_,
                .socket = std::move(child_socket_),
                .prepared = {},
                .proc = std::move(proc_),
                .root = {},
                .empty = {},
                .kernel_places = {}};
    }

    /// In the middle process: into the container, up to the clone of the child.
    Result<sys::Clone> go_inside(Child& child) {
        if (!join_.initial_cpus.empty()) {
            KNARR_TRY(sys::set_affinity(0, join_.initial_cpus), "process.execCPUAffinity.initial");
        }
        for (const Step& step : join_.outside) {
            KNARR_TRY(apply(child, plan_.steps.size(), step.operation), "{}", step.name);
        }
        KNARR_TRY(sys::set_dumpable(false));
        Result<> entered = sys::enter_namespaces_of(io_.target, join_.namespaces);
        if (!entered && entered.error().sys_errno == ESRCH) {
            return fail(Errc::wrong_state, "the container has ended");
        }
        KNARR_TRY(std::move(entered));
        io_.target.reset();
        if ((join_.namespaces & CLONE_NEWUSER) != 0) {
            KNARR_TRY(sys::become_namespace_root(child.proc));
        }
        if (root_.valid()) {
            KNARR_TRY(sys::chroot_to(root_));
            root_.reset();
        }
        // The child can be looked at by the container's programs as soon as it is there.
        child.setgroups_denied = sys::is_setgroups_denied(child.proc);
        child.proc.reset();
        std::vector<const sys::Fd*> more{
            &io_.console_socket, &io_.stdio[0], &io_.stdio[1], &io_.stdio[2]};
        for (const sys::Fd& entry : entries_) {
            more.push_back(&entry);  // a file of the container's own cgroup
        }
        KNARR_TRY(keep_for_the_gate(child, std::move(more)));
        return sys::clone_process(CLONE_PARENT, nullptr, &told_);
    }

    [[noreturn]] void be_middle() {
        socket_.reset();
        Child child = as_child();
        Result<sys::Clone> clone = go_inside(child);
        if (clone && clone->in_child()) {
            if (const Result<> entered = enter_cgroups(); !entered) {
                static_cast<void>(send_error(child.socket, Message::failed, entered.error()));
                _exit(1);
            }
            run_child(std::move(child));
        }
        // The parent may be gone; then the child ends itself at its gate.
        static_cast<void>(clone ? send_child(child.socket, clone->pid, clone->pidfd)
                                : send_error(child.socket, Message::failed, clone.error()));
        _exit(clone ? 0 : 1);
    }

    const LaunchPlan& plan_;
    const JoinContainer& join_;
    LaunchIo io_;
    const LaunchEvents events_;
    sys::Fd trampoline_, proc_, root_;
    sys::Fd socket_, child_socket_;
    sys::Clone middle_, child_;
    sys::ToldPid told_;  // the child's, once the middle process has made it
    sys::CgroupWays ways_;
    std::vector<sys::Fd> entries_;  // of the v1 hierarchies
    bool by_systemd_ = false;       // the unit's manager moves the child
    bool written_ = false;          // the parent joins by a write: there is a before and an after
};

}  // namespace

Result<Launched> launch_into(const LaunchPlan& plan, LaunchIo io) {
    return Entrance(plan, std::move(io)).run();
}

}  // namespace knarr::runtime
