#pragma once
// Where the terminal of a new process goes: to whoever listens at a console socket, or to us.

#include <cstdint>
#include <optional>
#include <string>

#include "engine/relay.h"
#include "platform/fd.h"

namespace knarr::engine {

enum class ConsoleWay : std::uint8_t {
    none,    ///< no terminal
    socket,  ///< its master is sent to --console-socket
    relay,   ///< we are its other side
};
enum class Stay : std::uint8_t { foreground, leaves };

/// Pure. Errors: invalid_argument, in runc's words, for a terminal that nobody would have and for a
/// socket that nothing would be sent to.
Result<ConsoleWay> choose_console(bool terminal, const std::string& socket, Stay stay);

/// One terminal's way out.
class Console {
public:
    /// Errors: those of connect(2), with the path.
    static Result<Console> open(ConsoleWay way, const std::string& socket);
    /// The socket that the process sends its master to, for LaunchIo; invalid without a terminal.
    sys::Fd take_socket() { return std::move(theirs_); }
    /// Waits for the other side of the process's terminal, where it comes to us. Nothing also as
    /// below.
    Result<std::optional<sys::Fd>> receive(const sys::Fd& gate);
    /// Waits for the process's terminal, where we are to relay it until `keys` are typed. Nothing
    /// also when the process failed before it had one: what was wrong is told at the `gate`.
    Result<std::optional<Relay>> start_relay(const sys::Fd& gate,
                                             std::string keys = {},
                                             Relay::Input input = Relay::Input::any);

private:
    sys::Fd theirs_, ours_;
};

}  // namespace knarr::engine
