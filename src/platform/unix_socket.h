#pragma once
// Path sockets of a state directory: named by the directory's descriptor, so that neither the
// length of the path nor a swapped directory matters. Always SOCK_SEQPACKET, mode 0600, and only
// root and the owner are spoken to. Source: unix(7), SO_PEERCRED.

#include <chrono>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

Result<Fd> listen_at(const Fd& dir, const std::string& name);
/// The user on the other side, as this user namespace sees it (an unmapped one: 65534).
Result<uid_t> peer_user(const Fd& socket);
/// Waits for a client that is root or `owner`; others are hung up on.
Result<Fd> accept_owner(const Fd& listener, uid_t owner);
/// Errors: sys_errno ECONNREFUSED or ENOENT when nobody listens.
Result<Fd> connect_at(const Fd& dir, const std::string& name);
/// The same without waiting, and the socket never blocks. Errors: sys_errno EAGAIN, too, when the
/// one who listens lets others wait already.
Result<Fd> connect_at_once(const Fd& dir, const std::string& name);
/// Connects to an operator's path (SOCK_STREAM) of any length: --console-socket.
Result<Fd> connect_stream(const std::string& path);
/// The same for a server that may not listen: neither the connect nor a later write waits longer
/// than `limit`. Errors: timed_out; sys_errno ECONNREFUSED or ENOENT when nobody listens.
Result<Fd> connect_stream_within(const std::string& path, std::chrono::milliseconds limit);
/// Sends everything. Never raises SIGPIPE. Errors: timed_out; sys_errno EPIPE when the other side
/// is gone.
Result<> send_bytes(const Fd& socket, std::string_view bytes);
/// A datagram socket `name` in `dir` that does not block. Everybody may write to it who reaches the
/// directory. One that is there already is replaced.
Result<Fd> bind_datagram_at(const Fd& dir, const std::string& name);
/// Connects a datagram socket to an operator's path; "@name" is an abstract name.
Result<Fd> connect_datagram(const std::string& path);
/// Sends one byte with a descriptor, as terminal receivers expect it.
Result<> send_terminal(const Fd& socket, const Fd& master, const std::string& name);

}  // namespace knarr::sys
