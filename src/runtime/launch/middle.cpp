#include "runtime/launch/middle.h"

#include <array>

#include "platform/pidfd.h"
#include "platform/socket.h"
#include "runtime/launch/protocol.h"

namespace knarr::runtime {

namespace {

/// The first packet of the two. Nothing where the middle process ended without one: the child has
/// the socket's other side, too, and may wait there for us.
Result<std::optional<Packet>> first_packet(const sys::Clone& middle, const sys::Fd& socket) {
    std::array ready = {sys::Ready{.fd = socket.get()}, sys::Ready{.fd = middle.pidfd.get()}};
    while (!ready[0].is_ready && !ready[1].is_ready) {
        KNARR_TRY(sys::wait_ready(ready, -1));
    }
    if (!ready[0].is_ready) {  // it may have told us since
        KNARR_TRY(sys::wait_ready(std::span(ready).first(1), 0));
    }
    return ready[0].is_ready ? receive(socket) : std::nullopt;
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
