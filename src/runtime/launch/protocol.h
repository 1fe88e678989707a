#pragma once
// What parent and child of a launch say to each other; the drawing is in launch.h.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::runtime {

enum class Message : std::uint8_t {
    // parent to child
    mount,     ///< carries a detached mount and the number of the step that attaches it
    mounts,    ///< there are no more of them
    maps,      ///< uid_map and gid_map are written
    entries,   ///< carries `tasks` files of v1 cgroups: the child moves itself there
    joined,    ///< the last of them: the child is in its cgroup
    devices,   ///< the network interfaces have arrived
    hooks,     ///< prestart and createRuntime ran
    recorded,  ///< the container is on disk: the child may outlive the parent
    go,        ///< the gate is open
    listened,  ///< the agent has the filter's listener
    // middle process to parent
    child,  ///< carries the pid and, as a descriptor, the pidfd
    // child to parent
    await_devices,  ///< the child waits for `devices`
    await_hooks,    ///< the child waits for `hooks`
    ready,          ///< every step is done
    listener,       ///< carries the listener of the filter that is loaded
    suspect,        ///< the program's path, or why it may not be executable: for if it is not
    failed,         ///< carries an Error
    exec_errno,     ///< from the trampoline: 4 bytes of errno alone, no message byte
};

struct Packet {
    Message message = Message::failed;
    std::int32_t number = 0;  // the pid of `child`, the step of `mount`
    Error error;              // of `failed` and `suspect`
    sys::Fd fd;
};

Result<> send(const sys::Fd& socket, Message message);
/// `entries` as often as needed and `joined`.
Result<> send_entries(const sys::Fd& socket, std::span<const sys::Fd> tasks);
/// `listener`, with the filter's listener.
Result<> send_listener(const sys::Fd& socket, const sys::Fd& listener);
Result<> send_child(const sys::Fd& socket, pid_t pid, const sys::Fd& pidfd);
Result<> send_mount(const sys::Fd& socket, std::size_t step, const sys::Fd& mount);
Result<> send_error(const sys::Fd& socket, Message message, const Error& error);

/// Waits for one packet. Nothing when the other side has closed the socket.
Result<std::optional<Packet>> receive(const sys::Fd& socket);
/// The same, where only a message that is no failure is of use: a closed socket is an error too.
Result<Packet> receive_more(const sys::Fd& socket);
/// Waits for what send_entries sends. Errors: interrupted when the other side is gone.
Result<std::vector<sys::Fd>> receive_entries(const sys::Fd& socket);
/// Waits for exactly this message; anything else, a closed socket too, is an error.
Result<> expect(const sys::Fd& socket, Message message);

}  // namespace knarr::runtime
