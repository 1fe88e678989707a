#include "engine/console.h"

#include <array>

#include "core/limits.h"
#include "platform/socket.h"
#include "platform/unix_socket.h"

namespace knarr::engine {

Result<ConsoleWay> choose_console(bool terminal, const std::string& socket, Stay stay) {
    if (!terminal) {
        if (socket.empty()) {
            return ConsoleWay::none;
        }
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "cannot use console socket if knarr will not allocate tty: "
                                     "process.terminal is false",
                          .hint = "leave out --console-socket, or ask for a terminal "
                                  "(process.terminal, --tty)"});
    }
    if (!socket.empty()) {
        return ConsoleWay::socket;
    }
    if (stay == Stay::foreground) {
        return ConsoleWay::relay;
    }
    return fail(Error{.code = Errc::invalid_argument,
                      .message = "cannot allocate tty if knarr will detach without setting console "
                                 "socket: process.terminal is true",
                      .hint = "give --console-socket PATH to receive the terminal, run in the "
                              "foreground, or do without a terminal"});
}

Result<Console> Console::open(ConsoleWay way, const std::string& socket) {
    Console console;
    if (way == ConsoleWay::socket) {
        console.theirs_ = KNARR_TRY(sys::connect_stream(socket), "console socket");
    } else if (way == ConsoleWay::relay) {
        sys::SocketPair pair = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::never_blocks));
        console.ours_ = std::move(pair.ours);
        console.theirs_ = std::move(pair.theirs);
    }
    return console;
}

Result<std::optional<sys::Fd>> Console::receive(const sys::Fd& gate) {
    if (!ours_.valid()) {
        return std::nullopt;
    }
    std::optional<sys::Packet> packet;
    while (!packet) {
        std::array<sys::Ready, 2> items{sys::Ready{.fd = ours_.get()},
                                        sys::Ready{.fd = gate.get()}};
        KNARR_TRY(sys::wait_ready(items, -1));
        packet = KNARR_TRY(sys::receive_packet(ours_, limits::kMaxPathBytes), "terminal");
        if (!packet && items[1].is_ready) {
            return std::nullopt;
        }
    }
    if (packet->closed) {
        return std::nullopt;
    }
    if (!packet->fd.valid()) {
        return fail(Errc::internal, "the process sent something else than its terminal");
    }
    ours_.reset();
    return std::move(packet->fd);
}

Result<std::optional<Relay>> Console::start_relay(const sys::Fd& gate,
                                                  std::string keys,
                                                  Relay::Input input) {
    std::optional<sys::Fd> master = KNARR_TRY(receive(gate));
    if (!master) {
        return std::nullopt;
    }
    return KNARR_TRY(Relay::open(std::move(*master), std::move(keys), input), "terminal");
}

}  // namespace knarr::engine
