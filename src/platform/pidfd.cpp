#include "platform/pidfd.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <csignal>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/socket.h"

namespace knarr::sys {

namespace {
constexpr auto kPidfdType = static_cast<idtype_t>(3);  // P_PIDFD: newer than some libc headers
constexpr std::uint64_t kExiting = 4;                  // PF_EXITING, of the kernel's sched.h

Result<std::optional<ExitStatus>> wait_for(const Fd& pidfd, int flags) {
    siginfo_t info{};
    while (waitid(kPidfdType, static_cast<id_t>(pidfd.get()), &info, WEXITED | flags) != 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "waitid");
        }
    }
    if (info.si_pid == 0) {
        return std::nullopt;
    }
    return ExitStatus{.value = info.si_status, .signaled = info.si_code != CLD_EXITED};
}
}  // namespace

Result<std::optional<ProcessStat>> process_stat(pid_t pid) {
    // One line of some 300 bytes; the name in it is at most 64.
    const auto text = read_file(fmt::format("/proc/{}/stat", pid), 4096);
    if (!text) {
        if (text.error().sys_errno == ENOENT || text.error().sys_errno == ESRCH) {
            return std::nullopt;
        }
        return fail(text.error());
    }
    // The name (field 2) may hold blanks and parentheses: count from the last ')'.
    const std::size_t after_name = text->rfind(')');
    if (after_name != std::string::npos && after_name + 2 < text->size()) {
        const auto fields = split(std::string_view(*text).substr(after_name + 2), ' ');
        const auto start = fields.size() > 19 ? parse_number(fields[19]) : std::nullopt;
        const auto flags = fields.size() > 19 ? parse_number(fields[6]) : std::nullopt;
        if (start && flags && fields[0].size() == 1) {
            return ProcessStat{
                .state = fields[0][0], .exiting = (*flags & kExiting) != 0, .start_ticks = *start};
        }
    }
    return fail(Errc::io, "/proc/{}/stat is not as proc(5) says", pid);
}

bool is_being_killed(pid_t pid) {
    // Of a process whose first thread has left the others say what it does.
    const auto stat = process_stat(pid);
    if (!stat || !*stat || ((*stat)->exiting && !(*stat)->dead())) {
        return stat && *stat;
    }
    const std::string status = read_file(fmt::format("/proc/{}/status", pid), 16384).value_or("");
    for (const std::string_view line : split(status, '\n')) {
        // Masks of the signals that wait for this thread and for the process, in hexadecimal.
        if (!line.starts_with("SigPnd:") && !line.starts_with("ShdPnd:")) {
            continue;
        }
        const std::string_view digits = line.substr(line.find_first_not_of(" \t", 7));
        std::uint64_t mask = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), mask, 16);
        if ((mask & (std::uint64_t{1} << (SIGKILL - 1))) != 0) {
            return true;
        }
    }
    return false;
}

Result<Fd> pidfd_open(pid_t pid) {
    const long fd = syscall(SYS_pidfd_open, pid, 0U);
    if (fd < 0) {
        // Older kernels (6.1) say EINVAL where only a process group or session goes by `pid`
        // any more, whose leader was reaped. Source: their pidfd_prepare, PIDTYPE_TGID.
        const int error = errno == EINVAL && pid > 0 ? ESRCH : errno;
        return fail_errno(error, "pidfd_open {}", pid);
    }
    return Fd(static_cast<int>(fd));  // always close-on-exec
}

Result<> pidfd_send_signal(const Fd& pidfd, int signal) {
    if (syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0U) != 0) {
        return fail_errno(errno, "pidfd_send_signal {}", signal);
    }
    return {};
}

namespace {
enum class Zombies { count_as_gone, count_as_there };

Result<std::optional<Fd>> open_checked(pid_t pid, std::uint64_t start_ticks, Zombies zombies) {
    if (pid <= 0) {
        return std::nullopt;
    }
    Result<Fd> opened = pidfd_open(pid);
    if (!opened) {
        if (opened.error().sys_errno == ESRCH) {
            return std::nullopt;
        }
        return fail(std::move(opened).error());
    }
    // The descriptor first, the start time after: what we hold is what we checked.
    const auto stat = KNARR_TRY(process_stat(pid));
    if (!stat || stat->start_ticks != start_ticks ||
        (stat->dead() && zombies == Zombies::count_as_gone)) {
        return std::nullopt;
    }
    return std::optional(std::move(*opened));
}
}  // namespace

Result<std::optional<Fd>> open_process(pid_t pid, std::uint64_t start_ticks) {
    return open_checked(pid, start_ticks, Zombies::count_as_gone);
}

Result<std::optional<Fd>> open_process_or_zombie(pid_t pid, std::uint64_t start_ticks) {
    return open_checked(pid, start_ticks, Zombies::count_as_there);
}

Result<ExitStatus> reap(const Fd& pidfd) {
    return *KNARR_TRY(wait_for(pidfd, 0));
}

Result<std::optional<ExitStatus>> try_reap(const Fd& pidfd) {
    return wait_for(pidfd, WNOHANG);
}

namespace {
/// struct pidfd_info of include/uapi/linux/pidfd.h as of Linux 6.15 (PIDFD_INFO_SIZE_VER0).
struct PidfdInfo {
    std::uint64_t mask, cgroup_id;
    std::uint32_t ids[11];  // pid, tgid, ppid, four users, four groups
    std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kInfoExit = std::uint64_t{1} << 3;
constexpr unsigned long kGetInfo = _IOWR(0xFF, 11, PidfdInfo);
}  // namespace

std::optional<ExitStatus> exit_of_stranger(const Fd& pidfd) {
    PidfdInfo info{};
    info.mask = kInfoExit;
    if (ioctl(pidfd.get(), kGetInfo, &info) != 0 || (info.mask & kInfoExit) == 0) {
        return std::nullopt;
    }
    if (WIFSIGNALED(info.exit_code)) {
        return ExitStatus{.value = WTERMSIG(info.exit_code), .signaled = true};
    }
    return ExitStatus{.value = WEXITSTATUS(info.exit_code)};
}

std::optional<Reaped> reap_any() {
    return reap_child(-1);
}

std::optional<Reaped> reap_child(pid_t child) {
    int status = 0;
    const pid_t pid = waitpid(child, &status, WNOHANG);
    if (pid <= 0) {
        return std::nullopt;
    }
    const bool signaled = WIFSIGNALED(status);
    return Reaped{.pid = pid,
                  .status = {.value = signaled ? WTERMSIG(status) : WEXITSTATUS(status),
                             .signaled = signaled}};
}

std::optional<Reaped> ended_child() {
    siginfo_t info{};
    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
        return std::nullopt;
    }
    return Reaped{.pid = info.si_pid,
                  .status = {.value = info.si_status, .signaled = info.si_code != CLD_EXITED}};
}

bool has_children() {
    siginfo_t info{};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

Result<bool> wait_ended(const Fd& pidfd, std::optional<std::chrono::milliseconds> timeout) {
    return wait_ended_or_cancelled(pidfd, -1, timeout);
}

Result<> wait_ended_or_cancelled(const Fd& pidfd, int cancel_fd) {
    KNARR_TRY(wait_ended_or_cancelled(pidfd, cancel_fd, std::nullopt));
    return {};
}

Result<bool> wait_ended_or_cancelled(const Fd& pidfd,
                                     int cancel_fd,
                                     std::optional<std::chrono::milliseconds> timeout) {
    using SteadyClock = std::chrono::steady_clock;
    const auto deadline = SteadyClock::now() + timeout.value_or(std::chrono::milliseconds(INT_MAX));
    std::array<Ready, 2> items{Ready{.fd = pidfd.get()}, Ready{.fd = cancel_fd}};
    while (true) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now()).count();
        const auto most = static_cast<int>(std::clamp<std::int64_t>(left, 0, INT_MAX));
        KNARR_TRY(wait_ready(items, timeout ? most : -1));
        if (items[0].is_ready || items[1].is_ready) {
            return items[0].is_ready ? Result<bool>(true)
                                     : fail(Errc::interrupted, "stopped on request");
        }
        if (timeout && left <= 0) {
            return false;
        }
    }
}

Result<bool> wait_readable_from(const Fd& fd, const Fd& writer) {
    std::array<Ready, 2> items{Ready{.fd = fd.get()}, Ready{.fd = writer.get()}};
    while (!items[0].is_ready && !items[1].is_ready) {
        KNARR_TRY(wait_ready(items, -1));
    }
    if (!items[0].is_ready) {  // it may have written since that was looked at
        KNARR_TRY(wait_ready(std::span(items).first(1), 0));
    }
    return items[0].is_ready;
}

}  // namespace knarr::sys
