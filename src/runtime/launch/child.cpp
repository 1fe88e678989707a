#include "runtime/launch/child.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/overloaded.h"
#include "core/text.h"
#include "core/trace.h"
#include "platform/environment.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/process.h"
#include "platform/task.h"
#include "platform/unix_socket.h"
#include "platform/user_namespace.h"
#include "runtime/launch/find_program.h"
#include "runtime/launch/host_mounts.h"
#include "runtime/launch/id_maps.h"

namespace knarr::runtime {

namespace {

/// Each v1 hierarchy by its own entry.
Result<> enter_cgroups(const sys::Fd& socket) {
    for (const sys::Fd& tasks : KNARR_TRY(receive_entries(socket))) {
        KNARR_TRY(sys::enter_cgroup(tasks));
    }
    return {};
}

Result<> await_cgroup(Child& child, const step::AwaitCgroup& step) {
    if (!child.joined) {
        KNARR_TRY(enter_cgroups(child.socket));
        child.joined = true;
    }
    return step.unshare_namespace ? sys::unshare_namespaces(CLONE_NEWCGROUP) : Result<>{};
}

/// The parent joins the cgroup before it serves anything else: its word on that comes first.
Result<> ask_parent(Child& child, Message question, Message answer) {
    KNARR_TRY(await_cgroup(child, {.unshare_namespace = false}));
    KNARR_TRY(send(child.socket, question));
    return expect(child.socket, answer);
}

/// A working directory that is not there is made, as runc does, while the root can be written.
/// What stands in the way is reported by the chdir that follows.
void make_cwd(const Child& child) {
    static_cast<void>(sys::make_dirs_in_root(child.root, child.plan.program.cwd, 0755));
}

Result<> write_sysctl(const Child& child, const step::Sysctl& step) {
    return sys::write_file_at(child.proc, "sys/" + step.path, step.value);
}

Result<> enter_time_namespace(const Child& child, const std::string& offsets) {
    KNARR_TRY(sys::unshare_namespaces(CLONE_NEWTIME));
    if (!offsets.empty()) {
        Result<> written = sys::write_file_at(child.proc, "self/timens_offsets", offsets);
        if (!written && written.error().sys_errno == EACCES) {
            return fail(std::move(written).error().advise(
                "in a user namespace that is joined only root can set them: let the container have "
                "its own, or leave linux.timeOffsets out"));
        }
        KNARR_TRY(std::move(written));
    }
    const sys::Fd fd = KNARR_TRY(sys::open_at(child.proc, "self/ns/time_for_children", O_RDONLY));
    return sys::enter_namespace(fd, CLONE_NEWTIME);
}

/// The middle process has: in the user namespace that it joins it would be too late.
bool is_inherited(const Child& child, const Operation& operation) {
    return child.plan.joins_user_namespace() && std::holds_alternative<step::ProcSelf>(operation);
}

/// In another user namespace these come before the child is root there: then its own files in /proc
/// belong to the host's root.
bool is_before_root(const Child& child, const Operation& operation) {
    return child.plan.own_user_namespace() && !is_inherited(child, operation) &&
           (std::holds_alternative<step::TimeOffsets>(operation) ||
            std::holds_alternative<step::ProcSelf>(operation));
}

Result<> run_steps_before_root(Child& child) {
    child.proc = KNARR_TRY(open_host_proc());
    for (std::size_t i = 0; i < child.plan.steps.size(); ++i) {
        const Step& step = child.plan.steps[i];
        if (is_before_root(child, step.operation)) {
            KNARR_TRY(apply(child, i, step.operation), "{}", step.name);
        }
    }
    return {};
}

Result<> run_steps(Child& child) {
    if (!child.proc.valid() && !child.plan.join) {
        child.proc = KNARR_TRY(open_host_proc());
    }
    for (std::size_t i = 0; i < child.plan.steps.size(); ++i) {
        const Step& step = child.plan.steps[i];
        if (is_before_root(child, step.operation) || is_inherited(child, step.operation)) {
            continue;
        }
        KNARR_TRY(apply(child, i, step.operation), "{}", step.name);
        trace().mark(step.name, TraceSide::child);
    }
    return {};
}

/// The pid by which the host knows this process.
Result<pid_t> pid_of_host(const sys::Fd& proc) {
    const std::string self = KNARR_TRY(sys::read_link_at(proc, "self"));
    return static_cast<pid_t>(parse_number(self, INT32_MAX).value_or(0));
}

/// Nobody but this task can write there, whoever opens it again.
Result<> open_label_files(Child& child, const sys::Fd& proc) {
    const Identity& identity = child.plan.identity;
    const auto open = [&](const char* path) -> Result<sys::Fd> {
        sys::Fd file = KNARR_TRY(sys::open_at(proc, path, O_WRONLY | O_NOFOLLOW));
        if (!sys::is_procfs(file)) {  // a container's mount over it
            return fail(make_errno(ENOSYS, fmt::format("/proc/{} is not of a procfs", path)));
        }
        return file;
    };
    if (!identity.apparmor_profile.empty()) {
        Result<sys::Fd> file = open("self/attr/apparmor/exec");
        if (!file) {
            file = open("self/attr/exec");
        }
        child.label_files[0] =
            KNARR_TRY(std::move(file), "AppArmor profile {}", printable(identity.apparmor_profile));
    }
    if (!identity.selinux_label.empty()) {
        child.label_files[1] = KNARR_TRY(
            open("self/attr/exec"), "SELinux label {}", printable(identity.selinux_label));
    }
    return {};
}

/// Closes whatever leads to the host, before a program of the container can look at this process:
/// one with CAP_SYS_PTRACE reaches every descriptor through /proc/PID/fd, and `..` of a directory.
Result<> shut_the_host_out(Child& child) {
    if (child.plan.join) {
        // The middle process has closed them. What labels need is the container's procfs then.
        const Identity& identity = child.plan.identity;
        if (!identity.apparmor_profile.empty() || !identity.selinux_label.empty()) {
            const sys::Fd proc = KNARR_TRY(open_host_proc());
            KNARR_TRY(open_label_files(child, proc));
        }
        child.root.reset();
        return keep_for_the_gate(child, {&child.label_files[0], &child.label_files[1]});
    }
    KNARR_TRY(await_cgroup(child, {.unshare_namespace = false}));
    child.setgroups_denied = sys::is_setgroups_denied(child.proc);
    child.host_pid = KNARR_TRY(pid_of_host(child.proc));
    KNARR_TRY(open_label_files(child, child.proc));
    child.proc.reset();
    child.root.reset();
    child.empty.reset();
    child.prepared.clear();
    return keep_for_the_gate(child, {&child.label_files[0], &child.label_files[1]});
}

Result<> start(Child& child) {
    sys::forget_environment();
    // While the record does not name us, whoever cleans up after a killed parent cannot end us. To
    // one that was killed before this line the next message is the end of the socket.
    KNARR_TRY(sys::set_die_with_parent(true));
    if (child.plan.join) {
        child.root = KNARR_TRY(sys::open_path("/", O_PATH | O_DIRECTORY));
    }
    if (child.plan.own_user_namespace()) {
        child.prepared = KNARR_TRY(receive_host_mounts(child.plan, child.socket));
    }
    if (child.plan.id_maps) {
        KNARR_TRY(expect(child.socket, Message::maps));
    }
    if (child.plan.own_user_namespace()) {
        KNARR_TRY(run_steps_before_root(child));
        KNARR_TRY(sys::become_namespace_root(child.proc));
        KNARR_TRY(sys::set_die_with_parent(true));
    }
    int late = namespaces_of_child(child.plan);
    if (child.io.network.valid() && (late & CLONE_NEWNET) != 0) {
        KNARR_TRY(sys::enter_namespace(child.io.network, CLONE_NEWNET), "network namespace");
        late &= ~CLONE_NEWNET;
    }
    if (late != 0) {
        KNARR_TRY(sys::unshare_namespaces(late), "new network or ipc namespace");
        trace().mark("make the namespaces left to the child", TraceSide::child);
    }
    sys::new_session();
    child.caller_umask = sys::set_umask(0);  // nodes and directories get the modes of the plan
    for (int i = 0; i < 3; ++i) {
        if (child.io.stdio[i].valid()) {
            KNARR_TRY(sys::replace_fd(child.io.stdio[i], i));
        }
    }
    KNARR_TRY(run_steps(child));
    KNARR_TRY(shut_the_host_out(child));
    // From here on it listens, and a parent that has recorded it may end before it reads so.
    KNARR_TRY(sys::set_die_with_parent(false));
    if (child.plan.join) {
        return {};  // there is nothing to record: the gate is all that is waited for
    }
    if (child.io.gate_listener.valid()) {
        KNARR_TRY(check_program(child.plan.program));
    }
    KNARR_TRY(sys::set_dumpable(false));
    trace().mark("ready: in its cgroup, every step done", TraceSide::child);
    KNARR_TRY(send(child.socket, Message::ready));
    return child.io.gate_listener.valid() ? expect(child.socket, Message::recorded) : Result<>{};
}

/// Waits at the gate; the returned socket is where the outcome is reported.
Result<sys::Fd> wait_at_gate(Child& child) {
    if (!child.io.gate_listener.valid()) {
        KNARR_TRY(expect(child.socket, Message::go));
        return std::move(child.socket);
    }
    // Whoever made the container, seen from here: a user namespace may not know the host's root.
    const uid_t owner = KNARR_TRY(sys::peer_user(child.socket));
    child.socket.reset();
    while (true) {
        sys::Fd client = KNARR_TRY(sys::accept_owner(child.io.gate_listener, owner));
        if (expect(client, Message::go)) {
            return client;
        }
    }
}

}  // namespace

Result<> keep_for_the_gate(Child& child, std::vector<const sys::Fd*> more) {
    LaunchIo& io = child.io;
    for (sys::Fd* done :
         {&io.console_socket, &io.stdio[0], &io.stdio[1], &io.stdio[2], &io.target, &io.network}) {
        if (std::ranges::find(more, done) == more.end()) {
            done->reset();
        }
    }
    more.insert(more.end(),
                {&child.socket,
                 &child.trampoline,
                 &io.gate_listener,
                 &io.hook_output.out,
                 &io.hook_output.err});
    std::vector<int> numbers;
    for (const sys::Fd* one : more) {
        if (one->get() > 2) {
            numbers.push_back(one->get());
        }
    }
    for (unsigned i = 0; i < child.plan.program.preserve_fds; ++i) {
        numbers.push_back(static_cast<int>(3 + i));
    }
    return sys::keep_only(std::move(numbers));
}

Result<sys::Fd> open_host_proc() {
    sys::Fd proc = KNARR_TRY(sys::open_path("/proc", O_PATH | O_DIRECTORY));
    if (!sys::is_procfs(proc)) {
        return fail(make_errno(ENOSYS, "/proc of the host is no procfs").advise("mount /proc"));
    }
    return proc;
}

Result<std::string> hook_state(const Child& child, std::string_view status) {
    const pid_t pid = child.host_pid != 0 ? child.host_pid : KNARR_TRY(pid_of_host(child.proc));
    return child.events.state_json(status, pid);
}

Result<> apply(Child& child, std::size_t index, const Operation& operation) {
    const sys::Fd* prepared = index < child.prepared.size() && child.prepared[index].valid()
                                  ? &child.prepared[index]
                                  : nullptr;
    return std::visit(
        Overloaded{
            [](const step::Propagate& s) { return sys::set_propagation_of_all(s.flags); },
            [&](const step::MountRoot& s) { return mount_root(child, s, prepared); },
            [&](const step::MountFs& s) { return mount_fs(child, s); },
            [&](const step::Bind& s) { return bind(child, s, prepared); },
            [&](const step::Remount& s) { return remount(child, s); },
            [&](const step::MakeDevice& s) { return make_device(child, s); },
            [&](const step::MakeSymlink& s) { return make_symlink(child, s); },
            [&](const step::MaskPath& s) { return mask_path(child, s); },
            [&](const step::ReadonlyPath& s) { return readonly_path(child, s); },
            [&](const step::ReadonlyRoot&) {
                make_cwd(child);
                return sys::set_mount_attributes(child.root,
                                                 {.set = sys::attributes_of(MS_RDONLY)});
            },
            [&](const step::PropagateRoot& s) {
                return sys::set_mount_attributes(child.root,
                                                 {.propagation = s.flags & ~std::uint64_t{MS_REC},
                                                  .recursive = (s.flags & MS_REC) != 0});
            },
            [&](const step::AwaitNetDevices&) {
                return ask_parent(child, Message::await_devices, Message::devices);
            },
            [&](const step::AwaitRuntimeHooks&) {
                return ask_parent(child, Message::await_hooks, Message::hooks);
            },
            [&](const step::CreateContainerHooks&) -> Result<> {
                // Where runc runs them, and its users' hooks name files.
                KNARR_TRY(sys::change_dir(sys::fd_path(child.root)), "root file system");
                return run_hooks(child.plan.hooks.create_container,
                                 "createContainer",
                                 KNARR_TRY(hook_state(child, "creating")),
                                 child.io.hook_output);
            },
            [&](const step::AwaitCgroup& s) { return await_cgroup(child, s); },
            [&](const step::PivotRoot& s) {
                make_cwd(child);
                return enter_root(child, s);
            },
            [](const step::SetHostname& s) { return sys::set_hostname(s.name); },
            [](const step::SetDomainname& s) { return sys::set_domainname(s.name); },
            [&](const step::Sysctl& s) { return write_sysctl(child, s); },
            [&](const step::ProcSelf& s) {
                return sys::write_file_at(child.proc, "self/" + s.file, s.text);
            },
            [](const step::LoopbackUp&) { return sys::loopback_up(); },
            [](const step::SessionKeyring& s) { return sys::join_session_keyring(s.name); },
            [](const step::Rlimits& s) -> Result<> {
                for (const auto& one : s.all) {
                    KNARR_TRY(sys::set_rlimit(one.resource, one.soft, one.hard));
                }
                return {};
            },
            [](const step::Personality& s) { return sys::set_personality(s.persona); },
            [](const step::SchedulerPolicy& s) {
                return sys::set_scheduler({.policy = s.policy,
                                           .flags = s.flags,
                                           .nice = s.nice,
                                           .priority = s.priority,
                                           .runtime = s.runtime,
                                           .deadline = s.deadline,
                                           .period = s.period});
            },
            [](const step::IoPriority& s) { return sys::set_io_priority(s.value); },
            [](const step::MemoryPolicy& s) { return sys::set_memory_policy(s.mode, s.node_mask); },
            [&](const step::Console& s) { return open_console(child, s); },
            [&](const step::TimeOffsets& s) { return enter_time_namespace(child, s.text); },
        },
        operation);
}

void run_child(Child child) {
    Result<> done = start(child);
    if (!done) {
        // The parent may be gone; then there is nobody to tell.
        static_cast<void>(send_error(child.socket, Message::failed, done.error()));
        _exit(1);
    }
    Result<sys::Fd> report = wait_at_gate(child);
    if (!report) {
        _exit(1);
    }
    done = become_program(child, *report);
    static_cast<void>(send_error(*report, Message::failed, done.error()));
    _exit(127);
}

}  // namespace knarr::runtime
