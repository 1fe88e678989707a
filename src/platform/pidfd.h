#pragma once
// Processes by descriptor: a pid that was read from a file may by now belong to a stranger, a pidfd
// whose start time was checked may not.

#include <chrono>
#include <cstdint>
#include <optional>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

/// What /proc/PID/stat says. Source: proc(5), fields 3, 9 and 22.
struct ProcessStat {
    char state = '?';               // R S D T Z X ...
    bool exiting = false;           // on its way out, with what it has still to wait for
    std::uint64_t start_ticks = 0;  // clock ticks after boot
    bool dead() const { return state == 'Z' || state == 'X' || state == 'x'; }
};
/// Nothing when there is no such process.
Result<std::optional<ProcessStat>> process_stat(pid_t pid);

/// Whether it has been killed or is ending, and is there still: one that is frozen by a v1 freezer
/// gets no further than that. False when there is no such process.
bool is_being_killed(pid_t pid);

/// pidfd_open(2). Errors: sys_errno ESRCH when there is no such process.
Result<Fd> pidfd_open(pid_t pid);
/// pidfd_send_signal(2). Errors: sys_errno ESRCH when the process was reaped.
Result<> pidfd_send_signal(const Fd& pidfd, int signal);

/// The very process that had `pid` and started at `start_ticks`; nothing when it has ended (a
/// zombie has) or its pid belongs to another by now.
Result<std::optional<Fd>> open_process(pid_t pid, std::uint64_t start_ticks);
/// The same, but a zombie of that start time counts as there: its parent can still reap it.
Result<std::optional<Fd>> open_process_or_zombie(pid_t pid, std::uint64_t start_ticks);

/// How a process ended.
struct ExitStatus {
    int value = 0;  // exit status or signal
    bool signaled = false;
    /// As shells count: the status, or 128 + signal.
    int code() const { return signaled ? 128 + value : value; }
};
/// Waits for a child of ours and reaps it. Errors: sys_errno ECHILD when it is not our child.
Result<ExitStatus> reap(const Fd& pidfd);
/// The same without waiting; nothing while it runs.
Result<std::optional<ExitStatus>> try_reap(const Fd& pidfd);
/// How a process ended that is not our child, from a descriptor that was opened before somebody
/// reaped it; nothing while that has not happened, and where the kernel (before 6.15) does not say.
/// Source: PIDFD_GET_INFO with PIDFD_INFO_EXIT.
std::optional<ExitStatus> exit_of_stranger(const Fd& pidfd);
/// Reaps any child of ours that has ended; nothing when there is none.
struct Reaped {
    pid_t pid = 0;
    ExitStatus status;
};
std::optional<Reaped> reap_any();
/// The same without reaping: it stays for whoever gets our children when we end.
std::optional<Reaped> ended_child();
/// Reaps that child of ours; nothing while it runs.
std::optional<Reaped> reap_child(pid_t pid);
/// Whether this process has children, ended or not.
bool has_children();
/// Waits until the process has ended, at most `timeout`; whether it has. Reaps nothing.
Result<bool> wait_ended(const Fd& pidfd, std::optional<std::chrono::milliseconds> timeout);
/// Waits until the process has ended. Errors: interrupted when `cancel_fd` (-1: none) becomes
/// readable before.
Result<> wait_ended_or_cancelled(const Fd& pidfd, int cancel_fd);
/// The same for at most `timeout`; whether it has ended.
Result<bool> wait_ended_or_cancelled(const Fd& pidfd,
                                     int cancel_fd,
                                     std::optional<std::chrono::milliseconds> timeout);
/// Waits until `fd` has something to read, or is at its end. False: the process that writes to it
/// has ended and left nothing there. For those whose other end somebody else holds as well.
Result<bool> wait_readable_from(const Fd& fd, const Fd& writer);

}  // namespace knarr::sys
