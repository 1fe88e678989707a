#include "platform/spawn.h"

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"

namespace knarr::sys {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kSocketFd = 3, kProgramFd = 4, kErrorFd = 5;

/// Everything the child needs, made before the clone: the child may not allocate.
struct ChildPlan {
    int program, socket, error, null;
    bool is_root;
    bool own_pids;  // pid 1 of a pid namespace, which ends with it
    pid_t parent;
    char* const* argv;
    char* const* env;
};

/// Moves the descriptors to their fixed places and closes all others. Copies above the fixed range
/// first, so that no place is taken while it is still a source.
bool arrange_fds(const ChildPlan& plan) {
    std::array<int, 4> sources{plan.null, plan.socket, plan.program, plan.error};
    for (int& fd : sources) {
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 16);
        if (fd < 0) {
            return false;
        }
    }
    return dup3(sources[0], 0, 0) >= 0 && dup3(sources[0], 1, 0) >= 0 &&
           dup3(sources[1], kSocketFd, 0) >= 0 && dup3(sources[2], kProgramFd, O_CLOEXEC) >= 0 &&
           dup3(sources[3], kErrorFd, O_CLOEXEC) >= 0 &&
           syscall(SYS_close_range, kErrorFd + 1, ~0U, 0) == 0;
}

/// Capabilities go with the user ID when root leaves it; a non-root user with capabilities of its
/// own loses them here.
bool drop_rights(const ChildPlan& plan) {
    // The plain system calls: glibc's wrappers signal other threads, and there are none. EINVAL: a
    // user namespace without nobody, whose root is an ordinary user outside and stays it here.
    if (plan.is_root && syscall(SYS_setresgid, kNobody, kNobody, kNobody) != 0) {
        if (errno != EINVAL) {
            return false;
        }
    } else if (plan.is_root && (syscall(SYS_setgroups, 0, nullptr) != 0 ||
                                syscall(SYS_setresuid, kNobody, kNobody, kNobody) != 0)) {
        return false;
    }
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> none{};
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           syscall(SYS_capset, &header, none.data()) == 0 &&
           prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

[[noreturn]] void run_child(const ChildPlan& plan) {
    for (int number = 1; number < NSIG; ++number) {
        struct sigaction standard{};
        standard.sa_handler = SIG_DFL;
        sigaction(number, &standard, nullptr);  // SIGKILL, SIGSTOP and glibc's own refuse
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    // Out of the terminal's session: with it as controlling terminal a helper that turned against
    // us could type into the caller's shell (TIOCSTI).
    setsid();
    // The parent-death signal after the change of user, which clears it.
    bool ok = arrange_fds(plan) && drop_rights(plan) && chdir("/") == 0 &&
              prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0;
    if (ok && getppid() != (plan.own_pids ? 0 : plan.parent)) {
        _exit(0);  // the parent died before the signal was armed; else the socket's end says so
    }
    if (ok) {
        syscall(SYS_execveat, kProgramFd, "", plan.argv, plan.env, AT_EMPTY_PATH);
    }
    const int error = errno;
    static_cast<void>(!write(kErrorFd, &error, sizeof(error)));
    _exit(127);
}

}  // namespace

Result<Helper> Helper::start(const HelperSpec& spec) {
    Pipe errors = KNARR_TRY(make_pipe());
    const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.valid()) {
        return fail_errno(errno, "open /dev/null");
    }
    const std::vector<char*> argv = exec_pointers(spec.argv);
    const std::vector<char*> env = exec_pointers(spec.env);
    ChildPlan plan{.program = spec.program->get(),
                   .socket = spec.socket->get(),
                   .error = errors.write.get(),
                   .null = null.get(),
                   .is_root = geteuid() == 0,
                   .own_pids = geteuid() == 0,
                   .parent = getpid(),
                   .argv = argv.data(),
                   .env = env.data()};
    int pidfd = -1;
    clone_args args{};
    args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
    args.exit_signal = SIGCHLD;
    // Whatever the helper starts dies with it, and it can signal no process of the host.
    args.flags = CLONE_PIDFD | (plan.own_pids ? std::uint64_t{CLONE_NEWPID} : 0);
    long pid = syscall(SYS_clone3, &args, sizeof(args));
    if (pid < 0 && errno == EPERM && plan.own_pids) {
        plan.own_pids = false;  // a root without CAP_SYS_ADMIN
        args.flags = CLONE_PIDFD;
        pid = syscall(SYS_clone3, &args, sizeof(args));
    }
    if (pid < 0) {
        return fail_errno(errno, "clone3");
    }
    if (pid == 0) {
        run_child(plan);
    }
    Helper helper{Fd(pidfd)};
    errors.write.reset();
    int error = 0;
    const std::size_t got = KNARR_TRY(
        read_full(errors.read, std::span(reinterpret_cast<char*>(&error), sizeof(error))));
    if (got == sizeof(error)) {
        return fail_errno(error, "start {}", spec.argv.front());
    }
    return helper;
}

Helper::Helper(Helper&& other) noexcept : pidfd_(std::move(other.pidfd_)) {}

Helper& Helper::operator=(Helper&& other) noexcept {
    if (this != &other) {
        stop();
        pidfd_ = std::move(other.pidfd_);
    }
    return *this;
}

Helper::~Helper() {
    stop();
}

int Helper::stop() {
    if (!pidfd_.valid()) {
        return -1;
    }
    syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    siginfo_t info{};
    while (waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 &&
           errno == EINTR) {
    }
    pidfd_.reset();
    return info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
}

Result<std::string> own_directory() {
    std::string path(PATH_MAX, '\0');
    const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
    if (length < 0) {
        return fail_errno(errno, "readlink /proc/self/exe");
    }
    path.resize(static_cast<std::size_t>(length));
    if (path == "/" || path.starts_with("/memfd:")) {
        if (std::string kept = environment(kOwnDirectoryVariable); !kept.empty()) {
            return kept;
        }
    }
    return path.substr(0, path.rfind('/'));
}

Result<Fd> open_own_program(const std::string& name) {
    std::vector<std::string> places;
    if (const std::string chosen = environment("KNARR_LIBEXEC"); !chosen.empty()) {
        places.push_back(chosen);
    }
    const std::string own = KNARR_TRY(own_directory());
    places.push_back(own);
    places.push_back(own.substr(0, own.rfind('/')) + "/libexec/knarr");  // PREFIX/bin/knarr
    places.emplace_back(KNARR_INSTALLED_LIBEXEC);
    places.emplace_back("/usr/libexec/knarr");
    std::string tried;
    for (const std::string& place : places) {
        auto file = open_path(fmt::format("{}/{}", place, name), O_RDONLY);
        if (file) {
            return file;
        }
        tried += (tried.empty() ? "" : ", ") + place;
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = fmt::format("there is no {} in {}", name, tried),
                      .hint = fmt::format("install {} beside knarr, or say where it is with "
                                          "KNARR_LIBEXEC=DIR",
                                          name)});
}

Result<std::string> machine_name() {
    utsname names{};
    if (uname(&names) != 0) {
        return fail_errno(errno, "uname");
    }
    return std::string(names.machine);
}

std::string environment(const char* name) {
    const char* value = getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

}  // namespace knarr::sys
