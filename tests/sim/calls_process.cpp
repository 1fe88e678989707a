// System calls that make, end and change processes.

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

namespace {

using Handler = void (*)(int);
Handler handlers[64];  // of this process; a child has its parent's

std::uint64_t bit(int number) {
    return std::uint64_t{1} << static_cast<unsigned>(number);
}

std::uint64_t bits_of(const sigset_t& set) {
    std::uint64_t bits = 0;
    for (int number = 1; number < 64; ++number) {
        bits |= sigismember(&set, number) == 1 ? bit(number) : 0;
    }
    return bits;
}

/// What was blocked and waited may be due now.
void deliver_unblocked() {
    const std::uint64_t due = self->pending & ~self->blocked;
    for (int number = 1; number < 64; ++number) {
        if ((due & bit(number)) != 0 && (self->handled & bit(number)) == 0) {
            self->pending &= ~bit(number);
            send_signal(*self, number);
        }
    }
}

Process* child_process(std::uint64_t flags, int cgroup) {
    auto* child = make<Process>(*self);
    child->slot = static_cast<int>(world->processes.size()) + 1;
    if (child->slot >= kMaxProcesses) {
        not_simulated("so many processes");
    }
    child->pid = ++world->last_pid;
    child->start_ticks = static_cast<std::uint64_t>(world->now / 10'000'000);
    child->parent = (flags & CLONE_PARENT) != 0 ? self->parent : self;
    child->pids = self->child_pids;
    if ((flags & CLONE_NEWPID) != 0) {
        child->pids = make<PidSpace>();
    }
    if (child->pids == world->host_pids) {
        child->own_pid = child->pid;
    } else {
        child->own_pid = ++child->pids->last;
        if (child->own_pid == 1) {
            child->pids->init = child;
        }
    }
    child->child_pids = child->pids;
    if ((flags & CLONE_NEWNS) != 0) {
        child->mounts = make<MountSpace>(*self->mounts);
    }
    if ((flags & CLONE_INTO_CGROUP) != 0) {
        child->cgroup = file_of(cgroup)->inode->cgroup;
    }
    if ((flags & CLONE_CLEAR_SIGHAND) != 0) {
        child->handled = 0;
    }
    child->subreaper = false;
    child->death_signal = 0;
    child->pending = 0;
    child->calls = 0;
    child->fate = self->victim_below == 1 ? self->victim_fate : Fate{};
    child->victim_below = std::max(self->victim_below - 1, 0);
    self->victim_below = 0;
    child->tells_nobody = false;
    child->waits.clear();
    child->answer.clear();
    for (const auto& [number, entry] : child->files) {
        ++entry.file->references;
    }
    world->processes.push_back(child);
    return child;
}

long status_to(Process& process, int* status, bool keep) {
    if (status != nullptr) {
        *status = process.status;
    }
    if (!keep) {
        reap(process);
    }
    return process.pid;
}

/// pid -1: any child.
long wait_child(pid_t pid, const Process* one, int options, int* status) {
    while (true) {
        bool any = false;
        for (Process* child : world->processes) {
            if (child->parent != self || child->life == Life::reaped ||
                (one != nullptr && child != one) ||
                (one == nullptr && pid > 0 && child->pid != pid && child->own_pid != pid)) {
                continue;
            }
            any = true;
            if (child->life == Life::zombie) {
                return status_to(*child, status, (options & WNOWAIT) != 0);
            }
        }
        if (!any) {
            return -ECHILD;
        }
        if ((options & WNOHANG) != 0) {
            return 0;
        }
        if (interrupted()) {
            return -EINTR;
        }
        wait_on({self}, -1);
    }
}

long do_kill(pid_t pid, int number) {
    if (pid > 0) {
        Process* to = find_process(pid);
        if (to == nullptr) {
            return -ESRCH;
        }
        send_signal(*to, number);
        return 0;
    }
    bool any = false;
    for (Process* process : List<Process*>(world->processes)) {
        const bool meant = pid < -1 && process->group == -pid;
        if (meant && is_alive(*process)) {
            any = true;
            send_signal(*process, number);
        }
    }
    return any ? 0 : -ESRCH;
}

}  // namespace

void handle_signals() {
    const std::uint64_t due = self->pending & ~self->blocked & self->handled;
    for (int number = 1; due != 0 && number < 64; ++number) {
        if ((due & bit(number)) != 0 && handlers[number] != nullptr) {
            self->pending &= ~bit(number);
            handlers[number](number);
        }
    }
}

long call_clone(std::uint64_t flags, int* pidfd, int exit_signal, int cgroup, pid_t* told) {
    SIM_ENTER("clone3", processes, "{:x} {}", flags, exit_signal);
    if (cgroup >= 0 && (file_of(cgroup) == nullptr || file_of(cgroup)->inode->links == 0)) {
        return end_call(-ENODEV);
    }
    Process* child = child_process(flags, cgroup);
    const pid_t pid = self->pids == world->host_pids ? child->pid : child->own_pid;
    if (told != nullptr) {
        *told = pid;
    }
    const pid_t real = real_fork();
    if (real == 0) {
        self = child;
        await_turn(child->slot);
        return 0;
    }
    child->real = real;
    if (pidfd != nullptr) {
        File* file = new_file(FileKind::pidfd, O_RDWR);
        file->process = child;
        *pidfd = install(file, true);
    }
    return end_call(pid);
}

long call_exec(int fd, const char* path, char* const argv[], int flags) {
    SIM_ENTER("execveat", none, "{} {} {}", fd, path, flags);
    Found found;
    const int failed = walk(fd, path, 0, found);
    if (failed != 0 || found.inode == nullptr) {
        return end_call(failed != 0 ? failed : -ENOENT);
    }
    std::vector<std::string> arguments;
    for (char* const* one = argv; *one != nullptr; ++one) {
        arguments.emplace_back(*one);
    }
    std::memset(handlers, 0, sizeof handlers);
    self->handled = 0;
    return end_call(become(found.inode, arguments));
}

long call_pidfd_open(pid_t pid) {
    SIM_ENTER("pidfd_open", descriptors, "{}", pid);
    Process* process = find_process(pid);
    if (process == nullptr) {
        return end_call(-ESRCH);
    }
    File* file = new_file(FileKind::pidfd, O_RDWR);
    file->process = process;
    return end_call(install(file, true));
}

long call_pidfd_signal(int fd, int number) {
    SIM_ENTER("pidfd_send_signal", none, "{} {}", fd, number);
    File* file = file_of(fd);
    if (file == nullptr || file->process == nullptr) {
        return end_call(-EBADF);
    }
    if (file->process->life == Life::reaped) {
        return end_call(-ESRCH);
    }
    send_signal(*file->process, number);
    return end_call(0);
}

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

extern "C" void __real__exit(int) __attribute__((noreturn));
extern "C" void __wrap__exit(int) __attribute__((noreturn));
extern "C" void __wrap__exit(int status) {
    if (self == nullptr) {
        __real__exit(status);
    }
    begin_call("exit", fmt::format("{}", status), Fault::none);
    note(fmt::format("{} exit {}", self->pid, status & 255));
    end_self((status & 255) << 8);
}

extern "C" pid_t __real_waitpid(pid_t, int*, int);
extern "C" pid_t __wrap_waitpid(pid_t pid, int* status, int options) {
    if (self == nullptr) {
        return __real_waitpid(pid, status, options);
    }
    begin_call("waitpid", fmt::format("{} {}", pid, options), Fault::none);
    return static_cast<pid_t>(end_call(wait_child(pid, nullptr, options, status)));
}
SIM_WRAP(int,
         waitid,
         (idtype_t type, id_t id, siginfo_t* info, int options),
         (type, id, info, options)) {
    SIM_ENTER("waitid", none, "{} {}", static_cast<int>(type), options);
    const Process* one = nullptr;
    if (type == static_cast<idtype_t>(P_PIDFD)) {
        File* file = file_of(static_cast<int>(id));
        if (file == nullptr || file->process == nullptr) {
            return end_call(-EBADF);
        }
        one = file->process;
    }
    int status = 0;
    std::memset(info, 0, sizeof *info);
    const long got = wait_child(type == P_PID ? static_cast<pid_t>(id) : -1, one, options, &status);
    if (got > 0) {
        info->si_signo = SIGCHLD;
        info->si_pid = static_cast<pid_t>(got);
        info->si_code = WIFEXITED(status) ? CLD_EXITED : CLD_KILLED;
        info->si_status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    }
    return end_call(got < 0 ? got : 0);
}
SIM_WRAP(int, kill, (pid_t pid, int number), (pid, number)) {
    SIM_ENTER("kill", none, "{} {}", pid, number);
    return end_call(do_kill(pid, number));
}

SIM_WRAP(int,
         sigaction,
         (int number, const struct sigaction* action, struct sigaction* before),
         (number, action, before)) {
    if (before != nullptr) {
        std::memset(before, 0, sizeof *before);
    }
    if (action == nullptr || number <= 0 || number >= 64) {
        return 0;
    }
    const Handler handler = action->sa_handler;
    self->ignored &= ~bit(number);
    self->handled &= ~bit(number);
    handlers[number] = nullptr;
    if (handler == SIG_IGN) {
        self->ignored |= bit(number);
        self->pending &= ~bit(number);
    } else if (handler != SIG_DFL) {
        self->handled |= bit(number);
        handlers[number] = handler;
    }
    return 0;
}
extern "C" Handler __real_signal(int, Handler);
extern "C" Handler __wrap_signal(int number, Handler handler) {
    if (self == nullptr) {
        return __real_signal(number, handler);
    }
    struct sigaction action{};
    action.sa_handler = handler;
    sim_sigaction(number, &action, nullptr);
    return SIG_DFL;
}
SIM_WRAP(int, sigprocmask, (int how, const sigset_t* set, sigset_t* before), (how, set, before)) {
    if (before != nullptr) {
        sigemptyset(before);
        for (int number = 1; number < 64; ++number) {
            if ((self->blocked & bit(number)) != 0) {
                sigaddset(before, number);
            }
        }
    }
    if (set != nullptr) {
        const std::uint64_t bits = bits_of(*set) & ~bit(SIGKILL) & ~bit(SIGSTOP);
        self->blocked = how == SIG_SETMASK ? bits
                        : how == SIG_BLOCK ? self->blocked | bits
                                           : self->blocked & ~bits;
        deliver_unblocked();
    }
    return 0;
}

extern "C" int __real_prctl(int, ...);
extern "C" int __wrap_prctl(int option, ...) {
    va_list more;
    va_start(more, option);
    const unsigned long value = va_arg(more, unsigned long);
    va_end(more);
    if (self == nullptr) {
        return __real_prctl(option, value, 0UL, 0UL, 0UL);
    }
    if (option == PR_SET_CHILD_SUBREAPER) {
        SIM_ENTER("prctl subreaper", none, "{}", value);
        self->subreaper = value != 0;
        return static_cast<int>(end_call(0));
    }
    if (option == PR_SET_PDEATHSIG) {
        SIM_ENTER("prctl pdeathsig", none, "{}", value);
        self->death_signal = static_cast<int>(value);
        return static_cast<int>(end_call(0));
    }
    return option == PR_CAPBSET_READ ? 1 : 0;  // rights are not simulated: everybody is root
}
SIM_WRAP(pid_t, setsid, (), ()) {
    SIM_ENTER("setsid", none, "");
    if (self->group == self->pid) {
        return end_call(-EPERM);
    }
    self->session = self->group = self->pid;
    return end_call(self->own_pid);
}
SIM_WRAP(int, setpgid, (pid_t pid, pid_t group), (pid, group)) {
    SIM_ENTER("setpgid", none, "{} {}", pid, group);
    Process* of = pid == 0 ? self : find_process(pid);
    if (of == nullptr) {
        return end_call(-ESRCH);
    }
    of->group = group == 0 ? of->pid : group;
    return end_call(0);
}
SIM_WRAP(pid_t, getpid, (), ()) {
    return self->own_pid;
}
SIM_WRAP(pid_t, getppid, (), ()) {
    return self->parent == nullptr            ? 1
           : self->parent->pids == self->pids ? self->parent->own_pid
                                              : 0;
}
SIM_WRAP(uid_t, getuid, (), ()) {
    return 0;
}
SIM_WRAP(uid_t, geteuid, (), ()) {
    return 0;
}
SIM_WRAP(gid_t, getgid, (), ()) {
    return 0;
}
SIM_WRAP(gid_t, getegid, (), ()) {
    return 0;
}
SIM_WRAP(mode_t, umask, (mode_t mask), (mask)) {
    const mode_t before = self->umask;
    self->umask = mask;
    return before;
}
SIM_WRAP(int, uname, (struct utsname * names), (names)) {
    std::memset(names, 0, sizeof *names);
    std::strcpy(names->sysname, "Linux");
    std::strcpy(names->nodename, "sim");
    std::strcpy(names->release, "6.18.0-sim");
    std::strncpy(names->machine, world->machine.c_str(), sizeof names->machine - 1);
    return 0;
}
SIM_WRAP(ssize_t, getrandom, (void* to, size_t bytes, unsigned flags), (to, bytes, flags)) {
    for (std::size_t i = 0; i < bytes; ++i) {
        static_cast<unsigned char*>(to)[i] = static_cast<unsigned char>(draw());
    }
    return static_cast<long>(bytes);
}
SIM_WRAP(int, unshare, (int flags), (flags)) {
    SIM_ENTER("unshare", none, "{:x}", flags);
    if ((flags & CLONE_NEWPID) != 0) {
        self->child_pids = make<PidSpace>();
    }
    if ((flags & CLONE_NEWNS) != 0) {
        self->mounts = make<MountSpace>(*self->mounts);
    }
    return end_call(0);
}
SIM_WRAP(int, setns, (int fd, int type), (fd, type)) {
    SIM_ENTER("setns", none, "{} {:x}", fd, type);
    File* file = file_of(fd);
    if (file == nullptr || file->process == nullptr) {
        return end_call(-EINVAL);
    }
    Process& of = *file->process;
    if (!is_alive(of)) {
        return end_call(-ESRCH);
    }
    if ((type & CLONE_NEWPID) != 0) {
        self->child_pids = of.pids;
    }
    if ((type & CLONE_NEWNS) != 0) {
        self->mounts = of.mounts;
        self->root = self->cwd = of.root;
    }
    return end_call(0);
}
SIM_WRAP(int, sched_yield, (), ()) {
    SIM_ENTER("sched_yield", none, "");
    run_others();
    return end_call(0);
}
// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
