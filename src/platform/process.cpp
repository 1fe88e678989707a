#include "platform/process.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/among_threads.h"
#include "platform/file.h"
#include "platform/pidfd.h"

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

namespace knarr::sys {

namespace {

std::string_view why_clone_failed(int error) {
    switch (error) {
        case ENOSPC:
        case EUSERS:
            return "the limit in /proc/sys/user/max_*_namespaces is reached: raise it";
        case EPERM:
            return "new namespaces need root or user namespaces that the host allows "
                   "(kernel.unprivileged_userns_clone, user.max_user_namespaces)";
        case EAGAIN:
            return "a limit on processes is reached (RLIMIT_NPROC, pids.max, kernel.pid_max)";
        default:
            return "";
    }
}

/// All but the flags may be null.
RawClone raw_clone(std::uint64_t flags, const Fd* cgroup, int* pidfd, const ToldPid* told) {
    struct clone_args args{};
    const std::uint64_t wants_fd = pidfd != nullptr ? CLONE_PIDFD : 0;
    args.flags = flags | wants_fd | CLONE_CLEAR_SIGHAND;
    args.pidfd = reinterpret_cast<std::uintptr_t>(pidfd);
    // With CLONE_PARENT the exit signal is the caller's own and must be 0 here.
    args.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD;
    if (cgroup != nullptr) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = static_cast<std::uint64_t>(cgroup->get());
    }
    if (told != nullptr) {
        args.flags |= CLONE_PARENT_SETTID;
        args.parent_tid = reinterpret_cast<std::uintptr_t>(told->place());
    }
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid < 0 && errno == ENOSYS && (flags & ~std::uint64_t{CLONE_PARENT}) == 0 &&
        cgroup == nullptr) {
        // Containers' seccomp filters say so of clone3: its flags lie behind a pointer.
        pid = syscall(SYS_clone, flags | wants_fd | SIGCHLD, nullptr, pidfd, nullptr, nullptr);
    }
    return {.pid = static_cast<pid_t>(pid), .error = pid < 0 ? errno : 0};
}

}  // namespace

Result<Clone> clone_process(std::uint64_t flags, const Fd* cgroup, const ToldPid* told) {
    // Who makes a child of its own parent came of a clone, and is alone.
    const bool between = (flags & CLONE_PARENT) == 0 && has_other_threads();
    int pidfd = -1;
    const RawClone made = between ? clone_among_threads([&] {
        return raw_clone(flags | CLONE_PARENT, cgroup, nullptr, told);
    })
                                  : raw_clone(flags, cgroup, &pidfd, told);
    if (made.pid < 0) {
        return fail(make_errno(made.error, "clone3").advise(why_clone_failed(made.error)));
    }
    if (made.pid == 0) {
        return Clone{};
    }
    if (between) {
        // Nobody but us reaps it: the pid is still its own.
        return Clone{.pid = made.pid, .pidfd = KNARR_TRY(pidfd_open(made.pid))};
    }
    return Clone{.pid = made.pid, .pidfd = Fd(pidfd)};
}

void kill_and_reap(const Fd& pidfd) {
    // Neither can fail in a way to act on: a child that has ended is reaped all the same.
    static_cast<void>(pidfd_send_signal(pidfd, SIGKILL));
    static_cast<void>(reap(pidfd));
}

void kill_group(pid_t leader) {
    if (leader > 1) {
        kill(-leader, SIGKILL);  // ESRCH: nobody is left
    }
}

std::vector<char*> exec_pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    for (const std::string& text : texts) {
        out.push_back(const_cast<char*>(text.c_str()));  // execve reads only
    }
    out.push_back(nullptr);
    return out;
}

Result<> set_dumpable(bool dumpable) {
    if (prctl(PR_SET_DUMPABLE, dumpable ? 1 : 0) != 0) {
        return fail_errno(errno, "prctl PR_SET_DUMPABLE");
    }
    return {};
}

Result<> adopt_orphans() {
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return fail_errno(errno, "prctl PR_SET_CHILD_SUBREAPER");
    }
    return {};
}

Error execute(const Fd& program,
              const std::vector<std::string>& args,
              const std::vector<std::string>& env) {
    const std::vector<char*> argv = exec_pointers(args);
    const std::vector<char*> envp = exec_pointers(env);
    syscall(SYS_execveat, program.get(), "", argv.data(), envp.data(), AT_EMPTY_PATH);
    return make_errno(errno, "execute " + args.front());
}

void new_session() {
    setsid();
}

void reset_signals(bool (*ignored)(int number)) {
    for (int number = 1; number < NSIG; ++number) {
        const bool ignores = ignored != nullptr && ignored(number);
        // Not SIGKILL, SIGSTOP, the C library's own.
        static_cast<void>(signal(number, ignores ? SIG_IGN : SIG_DFL));
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
}

Result<> close_on_exec_from(unsigned first) {
    if (syscall(SYS_close_range, first, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
        return {};
    }
    if (errno != ENOSYS && errno != EINVAL) {
        return fail_errno(errno, "close_range");
    }
    // Kernel before 5.11: mark the descriptors that there are.
    const Fd dir = KNARR_TRY(open_path("/proc/self/fd", O_RDONLY | O_DIRECTORY));
    for (const std::string& name : KNARR_TRY(list_dir(dir))) {
        const int fd = std::atoi(name.c_str());
        if (fd >= static_cast<int>(first)) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
    }
    return {};
}

Result<> keep_only(std::vector<int> keep) {
    std::sort(keep.begin(), keep.end());
    unsigned from = 3;
    for (const int fd : keep) {
        if (fd < 3) {
            return fail(Errc::internal, "descriptor {} is none to keep", fd);
        }
        const auto number = static_cast<unsigned>(fd);
        if (number > from && syscall(SYS_close_range, from, number - 1, 0) != 0) {
            return fail_errno(errno, "close_range");
        }
        from = std::max(from, number + 1);
    }
    if (syscall(SYS_close_range, from, ~0U, 0) != 0) {
        return fail_errno(errno, "close_range");
    }
    return {};
}

Result<> replace_fd(const Fd& from, int number) {
    if (dup2(from.get(), number) < 0) {
        return fail_errno(errno, "dup2 {} to {}", from.get(), number);
    }
    return {};
}

namespace {
std::string_view namespace_name(int type) {
    switch (type) {
        case CLONE_NEWNS:
            return "mount";
        case CLONE_NEWPID:
            return "pid";
        case CLONE_NEWNET:
            return "network";
        case CLONE_NEWIPC:
            return "ipc";
        case CLONE_NEWUTS:
            return "uts";
        case CLONE_NEWUSER:
            return "user";
        case CLONE_NEWCGROUP:
            return "cgroup";
        case CLONE_NEWTIME:
            return "time";
        default:
            return "unknown";
    }
}
}  // namespace

Result<Fd> open_namespace(const std::string& path, int type) {
    Result<Fd> opened = open_path(path, O_RDONLY);
    if (!opened) {
        return fail(std::move(opened)
                        .error()
                        .within("join a namespace")
                        .advise("correct the path in linux.namespaces; the process or the bind "
                                "mount that kept that "
                                "namespace may be gone"));
    }
    Fd fd = std::move(*opened);
    const int actual = ioctl(fd.get(), NS_GET_NSTYPE);
    if (actual < 0) {
        return fail(Errc::invalid_config, "{} is not a namespace", path);
    }
    if (actual != type) {
        return fail(Errc::invalid_config,
                    "{} is a namespace of another type: {}, not {}",
                    path,
                    namespace_name(actual),
                    namespace_name(type));
    }
    return fd;
}

Result<> enter_namespace(const Fd& fd, int type) {
    if (setns(fd.get(), type) != 0) {
        return fail_errno(errno, "setns");
    }
    return {};
}

Result<> enter_namespaces_of(const Fd& pidfd, int flags) {
    if (setns(pidfd.get(), flags) != 0) {
        return fail_errno(errno, "enter the namespaces of the container");
    }
    return {};
}

Result<> unshare_namespaces(int flags) {
    if (unshare(flags) != 0) {
        return fail_errno(errno, "unshare");
    }
    return {};
}

Result<void*> shared_memory(std::size_t bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return fail_errno(errno, "mmap {} shared bytes", bytes);
    }
    return memory;
}

}  // namespace knarr::sys
