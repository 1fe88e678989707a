#include "rpc/dbus_bus.h"

#include <algorithm>
#include <array>

#include "core/text.h"
#include "platform/socket.h"
#include "platform/unix_socket.h"

namespace knarr::rpc::dbus {

namespace {

constexpr std::size_t kMaxHandshakeBytes = 4096;
constexpr std::size_t kMaxKeptSignals = 256;
constexpr std::size_t kMaxErrorText = 512;
constexpr const char* kBus = "org.freedesktop.DBus";

/// The user's number in decimal, as the hexadecimal of its characters.
std::string hex_of(std::uint32_t uid) {
    std::string out;
    for (const char c : fmt::format("{}", uid)) {
        out += fmt::format("{:02x}", static_cast<unsigned>(c));
    }
    return out;
}

std::string handshake(Identity who) {
    std::string out(1, '\0');
    if (who.uid) {
        out += "AUTH EXTERNAL " + hex_of(*who.uid) + "\r\n";
    } else {
        out += "AUTH EXTERNAL\r\nDATA\r\n";
    }
    return out + "BEGIN\r\n";
}

Message bus_call(const char* member) {
    return {
        .path = "/org/freedesktop/DBus", .interface = kBus, .member = member, .destination = kBus};
}

int milliseconds_to(Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    return static_cast<int>(std::clamp<std::int64_t>(left.count() + 1, 0, 3'600'000));
}

}  // namespace

Result<Bus> Bus::connect(const Endpoint& endpoint, Identity who, Deadline deadline) {
    Bus bus;
    bus.path_ = endpoint.path;
    bus.socket_ = KNARR_TRY(sys::connect_stream_within(
        endpoint.path, std::chrono::milliseconds(milliseconds_to(deadline))));
    std::string out = handshake(who);
    if (!endpoint.direct) {
        Message hello = bus_call("Hello");
        hello.serial = ++bus.serial_;
        out += encode(hello);
        if (!endpoint.match.empty()) {
            Message match = bus_call("AddMatch");
            match.serial = ++bus.serial_;
            match.signature = "s";
            Encoder body;
            body.string(endpoint.match);
            match.body = std::move(body).take();
            out += encode(match);
        }
        bus.handshake_calls_ = bus.serial_;
    }
    KNARR_TRY(sys::send_bytes(bus.socket_, out), "{}", endpoint.path);
    if (endpoint.direct) {
        // A call that systemd reads together with the handshake lies there until more comes.
        KNARR_TRY(bus.finish_handshake(deadline));
    }
    return bus;
}

Result<std::uint32_t> Bus::call(Message message) {
    message.type = MessageType::call;
    message.serial = ++serial_;
    const std::string bytes = encode(message);
    if (bytes.size() > kMaxMessageBytes) {
        return fail(Errc::limit_exceeded, "D-Bus: a call of {} bytes", bytes.size());
    }
    KNARR_TRY(sys::send_bytes(socket_, bytes), "{}", path_);
    return message.serial;
}

Result<> Bus::read_more(Deadline deadline) {
    while (true) {
        const int wait = milliseconds_to(deadline);
        if (wait == 0) {
            return fail(Errc::timed_out, "{}: no answer in time", path_);
        }
        std::array<sys::Ready, 1> ready{{{.fd = socket_.get()}}};
        KNARR_TRY(sys::wait_ready(ready, wait));
        if (ready[0].is_ready) {
            break;
        }
    }
    std::array<char, 4096> buffer{};
    const std::size_t got = KNARR_TRY(sys::read_some(socket_, buffer), "{}", path_);
    if (got == 0) {
        return fail(Errc::io, "{}: the other side hung up", path_);
    }
    input_.append(buffer.data(), got);
    return {};
}

Result<> Bus::finish_handshake(Deadline deadline) {
    while (!authenticated_) {
        const std::size_t end = input_.find("\r\n");
        if (end == std::string::npos) {
            if (input_.size() > kMaxHandshakeBytes) {
                return fail(Errc::io, "{}: what answers is no D-Bus server", path_);
            }
            KNARR_TRY(read_more(deadline));
            continue;
        }
        const std::string line = input_.substr(0, end);
        input_.erase(0, end + 2);
        if (line.starts_with("OK")) {
            authenticated_ = true;
        } else if (line.starts_with("REJECTED") || line.starts_with("ERROR")) {
            return fail(Errc::denied, "{}: refuses who we are ({})", path_, printable(line, 64));
        } else if (!line.starts_with("DATA")) {
            return fail(Errc::io, "{}: what answers is no D-Bus server", path_);
        }
    }
    return {};
}

Result<Message> Bus::next(Deadline deadline) {
    KNARR_TRY(finish_handshake(deadline));
    while (true) {
        if (input_.size() >= kFixedHeaderBytes) {
            const std::size_t size = KNARR_TRY(message_size(input_), "{}", path_);
            if (input_.size() >= size) {
                Result<Message> message = decode(std::string_view(input_).substr(0, size));
                input_.erase(0, size);
                return message;
            }
        }
        KNARR_TRY(read_more(deadline));
    }
}

Result<Message> Bus::await_reply(std::uint32_t serial, Deadline deadline) {
    while (true) {
        Message message = KNARR_TRY(next(deadline));
        if (message.type == MessageType::signal) {
            if (signals_.size() == kMaxKeptSignals) {
                signals_.pop_front();
            }
            signals_.push_back(std::move(message));
            continue;
        }
        if (message.type != MessageType::reply && message.type != MessageType::error) {
            continue;  // nobody has anything to call here
        }
        if (message.reply_serial == serial) {
            return message;
        }
        if (message.type == MessageType::error && message.reply_serial != 0 &&
            message.reply_serial <= handshake_calls_) {
            return fail(error_of(message).within(path_));
        }
    }
}

Result<Message> Bus::await_signal(const std::function<bool(const Message&)>& wanted,
                                  Deadline deadline) {
    while (true) {
        while (!signals_.empty()) {
            Message message = std::move(signals_.front());
            signals_.pop_front();
            if (wanted(message)) {
                return message;
            }
        }
        Message message = KNARR_TRY(next(deadline));
        if (message.type == MessageType::signal) {
            signals_.push_back(std::move(message));
        }
    }
}

Error error_of(const Message& message) {
    std::string text;
    if (message.signature.starts_with('s')) {
        text = Decoder(message).string().value_or("");
    }
    const auto is = [&](std::string_view name) { return message.error_name == name; };
    const Errc code =
        is("org.freedesktop.DBus.Error.AccessDenied") ||
                is("org.freedesktop.DBus.Error.AuthFailed") ||
                is("org.freedesktop.DBus.Error.InteractiveAuthorizationRequired")
            ? Errc::denied
        : is("org.freedesktop.systemd1.NoSuchUnit") ? Errc::not_found
        : is("org.freedesktop.systemd1.UnitExists") ? Errc::already_exists
        : is("org.freedesktop.DBus.Error.NoReply") || is("org.freedesktop.DBus.Error.Timeout")
            ? Errc::timed_out
            : Errc::unsupported;
    return {.code = code,
            .message = fmt::format("{} ({})",
                                   printable(text, kMaxErrorText),
                                   printable(message.error_name, kMaxErrorText)),
            .hint = {}};
}

}  // namespace knarr::rpc::dbus
