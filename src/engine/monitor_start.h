#pragma once
// How a process becomes a monitor (monitor.h), and how a container gets new ones.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "engine/context.h"
#include "engine/record.h"
#include "platform/fd.h"

namespace knarr::engine {

inline constexpr const char* kMonitorProgram = "knarr-monitor";
// What the launcher, or the monitor that starts one to stand by, sends besides the reading ends of
// the streams: the locks, the other side of the program's terminal, and the socket of one who is
// attached from the beginning (attach_door.h), which comes after the terminal.
inline constexpr const char* kTerminalEnd = "terminal end";
inline constexpr const char* kAttachedEnd = "attached";

/// What a monitor is started with, as its arguments. Its stdin is the socket by which the launcher
/// sends the ends of the streams, or the null device.
struct MonitorOrder {
    std::string root, id;
    pid_t launcher = 0;  // a child of it that launches the container; 0: the container is there
    pid_t watching = 0;  // stand by until this one has ended; 0: watch
    pid_t beside = 0;    // who stands by; 0: start one
    OwnLog log = {};     // what its environment says, and all of that
};
std::vector<std::string> arguments_of(const MonitorOrder& order);
/// Errors: invalid_argument.
Result<MonitorOrder> parse_order(std::span<const std::string_view> arguments);

/// Makes this process the monitor, with `streams` as its stdin. Returns only when that fails.
Error execute_monitor(const sys::Fd& program, const MonitorOrder& order, const sys::Fd* streams);

/// Starts this program, which is knarr-monitor, once more as a child, with these arguments.
Result<pid_t> start_own_program(std::vector<std::string> arguments, const OwnLog& log);

/// Starts monitors for a container of an image that ran when its record was written, and that
/// nobody watches any more: its monitors, or the knarr whose foreground it was in, are gone. That
/// it cannot is a warning.
void ensure_watched(const Context& context, const Record& record);
/// Starts monitors for such a container.
/// Errors: unsupported when there is no knarr-monitor.
Result<> adopt(const Context& context, const std::string& id);

}  // namespace knarr::engine
