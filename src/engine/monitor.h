#pragma once
// The monitor: a small process above one container. It is the parent of the
// container's first process, holds the reading ends of its streams, writes the log, and records how
// it ended. What it decides stands in watch.h; here it is carried out.
//
// There are two of them. One watches; the other stands by: it holds the same ends of the streams
// and waits for nothing but the first one's end. When that is killed it watches, and starts another
// to stand by; when the one that stands by is killed, the first starts another. At first the one
// that stands by is the parent of the one that watches: the kernel then makes it the container's
// parent, so that it learns the exit code as a parent does. Later ones are children, and learn it
// from a pidfd that they hold (Linux 6.15). When both are killed at once, the next verb of knarr
// that looks at the container starts new ones.
//
// It is the program knarr-monitor (src/monitor): nothing of its starter's is left in it, neither
// descriptors nor working directory, terminal or environment. ROOT/ID/monitor is locked while it
// lives; ROOT/ID/trouble has what it could not do.

#include <string>

#include <sys/types.h>

#include "engine/context.h"
#include "engine/record.h"
#include "platform/fd.h"

namespace knarr::engine {

inline constexpr const char* kMonitorProgram = "knarr-monitor";
inline constexpr const char* kMonitorLock = "monitor";
inline constexpr const char* kTroubleFile = "trouble";
// What the launcher, or the monitor that starts one to stand by, sends besides the reading ends of
// the streams: the locks, the other side of the program's terminal, and the socket of one who is
// attached from the beginning (attach_door.h), which comes after the terminal.
inline constexpr const char* kTerminalEnd = "terminal end";
/// A file that is locked as long as any monitor has the terminal: the lock goes with a descriptor
/// that is handed on, and whoever has it, if only in the mail, will watch. Nobody else is to, who
/// would be without.
inline constexpr const char* kTerminalLock = "terminal";
inline constexpr const char* kAttachedEnd = "attached";

/// What a monitor is started with, as its arguments. Its stdin is the socket by which the launcher
/// sends the ends of the streams, or the null device.
struct MonitorOrder {
    std::string root, id;
    pid_t launcher = 0;  // a child of it that launches the container; 0: the container is there
    pid_t watching = 0;  // stand by until this one has ended; 0: watch
    pid_t beside = 0;    // who stands by; 0: start one
};
std::vector<std::string> arguments_of(const MonitorOrder& order);
/// Errors: invalid_argument.
Result<MonitorOrder> parse_order(std::span<const std::string_view> arguments);

/// Makes this process the monitor, with `streams` as its stdin. Returns only when that fails.
Error execute_monitor(const sys::Fd& program, const MonitorOrder& order, const sys::Fd* streams);

/// Starts this program, which is knarr-monitor, once more as a child, with these arguments.
Result<pid_t> start_own_program(std::vector<std::string> arguments);

/// Opens what monitors lock by sys::try_lock: the one that watches kMonitorLock, as a knarr does
/// with the container in its foreground.
Result<sys::Fd> open_lock(const sys::Fd& dir, const char* name);
/// Locks the container for who watches it, from before its program runs: nobody else adopts it. The
/// monitors of its last run may have to end first. Errors: wrong_state.
Result<sys::Fd> lock_to_watch(const sys::Fd& dir, const char* name);
/// Whether somebody watches the container whose state directory this is, or is about to.
Result<bool> is_watched(const sys::Fd& dir);

/// Starts monitors for a container of an image that ran when its record was written, and that
/// nobody watches any more: its monitors, or the knarr whose foreground it was in, are gone. That
/// it cannot is a warning.
void ensure_watched(const Context& context, const Record& record);
/// Starts monitors for such a container.
/// Errors: unsupported when there is no knarr-monitor.
Result<> adopt(const Context& context, const std::string& id);

/// Where a monitor works; what it warns of is the container's `trouble`.
Context monitor_context(const StateRoot& root, const ContainerId& id);

/// The monitor's whole life; returns when its container has ended and that is recorded.
Result<> monitor(const MonitorOrder& order);

}  // namespace knarr::engine
