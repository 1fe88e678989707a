#include "runtime/launch/protocol.h"

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/limits.h"
#include "platform/descriptor_packet.h"
#include "platform/socket.h"
#include "platform/trampoline.h"

namespace knarr::runtime {

namespace {

// A packet: message byte, error code byte, two unused bytes, a 4-byte number (errno, pid or step),
// then the error's message and hint, a NUL between them. Both ends are the same program: host
// order.
constexpr std::size_t kHeaderBytes = 8;
constexpr std::size_t kErrnoBytes = 4;  // the trampoline's whole packet
constexpr std::size_t kMaxTextBytes = 3 * 1024;

std::string header(Message message, Errc code, std::int32_t number) {
    std::string bytes(kHeaderBytes, '\0');
    bytes[0] = static_cast<char>(message);
    bytes[1] = static_cast<char>(code);
    std::memcpy(bytes.data() + 4, &number, sizeof number);
    return bytes;
}

std::int32_t number_at(const std::string& bytes, std::size_t at) {
    std::int32_t number = 0;
    std::memcpy(&number, bytes.data() + at, sizeof number);
    return number;
}

Packet decode(sys::Packet raw) {
    Packet packet;
    if (raw.bytes.size() == kErrnoBytes) {
        const std::int32_t number = number_at(raw.bytes, 0);
        const bool of_filter = (number & sys::kTrampolineFilterStage) != 0;
        packet.message = of_filter ? Message::failed : Message::exec_errno;
        packet.error = make_errno(number & ~sys::kTrampolineFilterStage,
                                  of_filter ? "load the seccomp filter" : "execve");
        return packet;
    }
    packet.message = static_cast<Message>(raw.bytes[0]);
    const std::int32_t number = number_at(raw.bytes, 4);
    packet.fd = std::move(raw.fd);
    if (packet.message == Message::child || packet.message == Message::mount) {
        packet.number = number;
        return packet;
    }
    const std::string_view text = std::string_view(raw.bytes).substr(kHeaderBytes);
    const std::size_t nul = text.find('\0');
    packet.error =
        Error{.code = static_cast<Errc>(raw.bytes[1]),
              .sys_errno = number,
              .message = std::string(text.substr(0, nul)),
              .hint = std::string(nul == std::string_view::npos ? "" : text.substr(nul + 1))};
    return packet;
}

}  // namespace

Result<> send(const sys::Fd& socket, Message message) {
    return sys::send_packet(socket, header(message, Errc::internal, 0));
}

Result<> send_entries(const sys::Fd& socket, std::span<const sys::Fd> tasks) {
    while (tasks.size() > sys::kMaxPacketFds) {
        KNARR_TRY(sys::send_descriptors(
            socket, header(Message::entries, Errc::internal, 0), tasks.first(sys::kMaxPacketFds)));
        tasks = tasks.subspan(sys::kMaxPacketFds);
    }
    return sys::send_descriptors(socket, header(Message::joined, Errc::internal, 0), tasks);
}

Result<std::vector<sys::Fd>> receive_entries(const sys::Fd& socket) {
    std::vector<sys::Fd> all;
    while (true) {
        auto packet = KNARR_TRY(sys::receive_descriptors(socket, kHeaderBytes));
        if (!packet) {
            return fail(Errc::interrupted, "the other side of the launch is gone");
        }
        const auto message = static_cast<Message>(packet->bytes[0]);
        if (message != Message::entries && message != Message::joined) {
            return fail(
                Errc::internal, "launch message {} instead of cgroups", static_cast<int>(message));
        }
        std::ranges::move(packet->fds, std::back_inserter(all));
        if (message == Message::joined) {
            return all;
        }
    }
}

Result<> send_listener(const sys::Fd& socket, const sys::Fd& listener) {
    return sys::send_packet(socket, header(Message::listener, Errc::internal, 0), &listener);
}

Result<> send_child(const sys::Fd& socket, pid_t pid, const sys::Fd& pidfd) {
    return sys::send_packet(socket, header(Message::child, Errc::internal, pid), &pidfd);
}

Result<> send_mount(const sys::Fd& socket, std::size_t step, const sys::Fd& mount) {
    const auto number = static_cast<std::int32_t>(step);
    return sys::send_packet(socket, header(Message::mount, Errc::internal, number), &mount);
}

Result<> send_error(const sys::Fd& socket, Message message, const Error& error) {
    std::string bytes = header(message, error.code, error.sys_errno);
    bytes += error.message.substr(0, kMaxTextBytes / 2);
    bytes += '\0';
    bytes += error.hint.substr(0, kMaxTextBytes / 2);
    return sys::send_packet(socket, bytes);
}

Result<std::optional<Packet>> receive(const sys::Fd& socket) {
    std::optional<sys::Packet> raw =
        KNARR_TRY(sys::receive_packet(socket, kHeaderBytes + kMaxTextBytes));
    if (raw && raw->closed) {
        // A peer that left with a message of ours unread resets the socket, and the kernel reports
        // that once before what the peer itself had sent: look again.
        raw = KNARR_TRY(sys::receive_packet(socket, kHeaderBytes + kMaxTextBytes));
    }
    if (!raw || raw->closed) {
        return std::nullopt;
    }
    if (raw->bytes.size() != kErrnoBytes && raw->bytes.size() < kHeaderBytes) {
        return fail(Errc::internal, "launch message of {} bytes", raw->bytes.size());
    }
    return decode(std::move(*raw));
}

Result<Packet> receive_more(const sys::Fd& socket) {
    std::optional<Packet> packet = KNARR_TRY(receive(socket));
    if (!packet) {
        return fail(Errc::interrupted, "the other side of the launch is gone");
    }
    if (packet->message == Message::failed) {
        return fail(std::move(packet->error));
    }
    return std::move(*packet);
}

Result<> expect(const sys::Fd& socket, Message message) {
    const Packet packet = KNARR_TRY(receive_more(socket));
    if (packet.message != message) {
        return fail(Errc::internal,
                    "launch message {} instead of {}",
                    static_cast<int>(packet.message),
                    static_cast<int>(message));
    }
    return {};
}

}  // namespace knarr::runtime
