#pragma once
// One connection to a D-Bus server: a bus daemon, or a service's private socket.
//
//   connect        SASL EXTERNAL, Hello and the match go out in one write, nothing is waited for
//   call           goes out; its answer is read by await_reply
//   await_signal   also those that came while an answer was waited for
//
// Every wait ends at a deadline, and what is kept has a bound: a silent, a slow and a chatty server
// cost no more than that. Source: D-Bus Specification, "Authentication Protocol"; sd-bus, which
// writes the handshake ahead in the same way.

#include <chrono>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "platform/fd.h"
#include "rpc/dbus_wire.h"

namespace knarr::rpc::dbus {

using Deadline = std::chrono::steady_clock::time_point;

/// Where a server is, and how one is spoken to there.
struct Endpoint {
    std::string path;     // of its socket
    bool direct = false;  // a service's own socket: no bus between, so no Hello and no match
    std::string match;    // which signals a bus is to hand on; empty: none
};

/// Who we are in the handshake: our user where the other side knows it by the same number, else
/// (in a user namespace) nothing, and the server asks the kernel.
struct Identity {
    std::optional<std::uint32_t> uid;
};

class Bus {
public:
    /// Errors: sys_errno ENOENT, ECONNREFUSED where nobody listens; denied; timed_out.
    static Result<Bus> connect(const Endpoint& endpoint, Identity who, Deadline deadline);

    /// Sends a call; gives its serial. Errors: io when the server has gone.
    Result<std::uint32_t> call(Message message);
    /// The answer to one call. An error of the other side is a Message, too.
    /// Errors: denied when the handshake is refused; timed_out; io when the server hangs up or
    /// does not speak D-Bus.
    Result<Message> await_reply(std::uint32_t serial, Deadline deadline);
    /// The first signal that `wanted` says yes to.
    Result<Message> await_signal(const std::function<bool(const Message&)>& wanted,
                                 Deadline deadline);

private:
    Result<Message> next(Deadline deadline);
    Result<> finish_handshake(Deadline deadline);
    Result<> read_more(Deadline deadline);

    sys::Fd socket_;
    std::string path_;
    std::string input_;  // read and not yet taken apart
    std::uint32_t serial_ = 0;
    std::uint32_t handshake_calls_ = 0;  // serials up to this one are Hello and the match
    bool authenticated_ = false;
    std::deque<Message> signals_;
};

/// A failure that the other side reports, as an Error: denied, not_found, already_exists, else
/// unsupported, with the name of the D-Bus error and its text.
Error error_of(const Message& message);

}  // namespace knarr::rpc::dbus
