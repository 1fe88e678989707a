#include "runtime/launch/middle.h"

#include "platform/pidfd.h"
#include "runtime/launch/protocol.h"

namespace knarr::runtime {

namespace {

/// The first packet of the two. Nothing where the middle process ended without one: the child has
/// the socket's other side, too, and may wait there for us.
Result<std::optional<Packet>> first_packet(const sys::Clone& middle, const sys::Fd& socket) {
    const bool is_told = KNARR_TRY(sys::wait_readable_from(socket, middle.pidfd));
    return is_told ? receive(socket) : std::nullopt;
}

}  // namespace

Result<sys::Clone> await_child_of(const sys::Clone& middle,
                                  const sys::Fd& socket,
                                  const sys::ToldPid& told) {
    Result<std::optional<Packet>> packet = first_packet(middle, socket);
    KNARR_TRY(sys::reap(middle.pidfd));
    if (packet && *packet && (*packet)->message == Message::child) {
        return sys::Clone{.pid = (*packet)->number, .pidfd = std::move((*packet)->fd)};
    }
    if (told.pid() > 0) {
        // A child of ours that nobody has reaped: the pid is still its own.
        const sys::Fd child = KNARR_TRY(sys::pidfd_open(told.pid()));
        sys::kill_and_reap(child);
    }
    KNARR_TRY(std::move(packet));
    if (!*packet) {
        return fail(Errc::interrupted, "the process that enters the namespaces was killed");
    }
    return fail(std::move((*packet)->error));
}

}  // namespace knarr::runtime
