#pragma once
// D-Bus messages as values and bytes: what is needed to speak with systemd, and no more. Pure.
//
// Sent is always little-endian; read are both orders, since a peer answers in its own. Everything
// that comes in is hostile: lengths are checked against what is there before anything is copied.
// Source: D-Bus Specification 0.41, "Type System", "Message Protocol".

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "knarr/result.h"

namespace knarr::rpc::dbus {

/// A larger message is refused; the specification allows 128 MiB, systemd's are a few KiB.
inline constexpr std::size_t kMaxMessageBytes = std::size_t{1024} * 1024;
inline constexpr std::size_t kFixedHeaderBytes = 16;

enum class MessageType : std::uint8_t { call = 1, reply = 2, error = 3, signal = 4 };

struct Message {
    MessageType type = MessageType::call;
    std::uint32_t serial = 0;        // of the sender's, never 0
    std::uint32_t reply_serial = 0;  // of the call that this answers
    std::string path = {}, interface = {}, member = {};
    std::string error_name = {};  // "org.freedesktop.DBus.Error.AccessDenied"
    std::string destination = {}, sender = {};
    std::string signature = {};  // of `body`
    std::string body = {};
    bool big_endian = false;  // of `body`; only in what was read
};

using Bytes = std::vector<std::uint8_t>;
using Pairs = std::vector<std::pair<std::string, std::string>>;
/// What a property can be: b i u t s as au ay a(ss).
using Value = std::variant<bool,
                           std::int32_t,
                           std::uint32_t,
                           std::uint64_t,
                           std::string,
                           std::vector<std::string>,
                           std::vector<std::uint32_t>,
                           Bytes,
                           Pairs>;
std::string_view signature_of(const Value& value);

/// A body (or a whole message) while it is written.
class Encoder {
public:
    void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    /// Also an object path.
    void string(std::string_view text);
    void signature(std::string_view text);
    void variant(const Value& value);
    void align(std::size_t to);
    /// Length of an array, filled in by end_array; `align_to` is that of its elements.
    struct Array {
        std::size_t length_at = 0, start = 0;
    };
    Array begin_array(std::size_t align_to);
    void end_array(Array array);
    std::string take() && { return std::move(bytes_); }
    std::size_t size() const { return bytes_.size(); }

private:
    void value(const Value& value);
    std::string bytes_;
};

/// Reads a body from its start. Each call fails when what it wants is not there.
class Decoder {
public:
    /// From byte `at` on; alignment counts from the beginning of `bytes`.
    Decoder(std::string_view bytes, bool big_endian, std::size_t at = 0)
        : bytes_(bytes), at_(at), big_endian_(big_endian) {}
    explicit Decoder(const Message& message) : Decoder(message.body, message.big_endian) {}

    Result<std::uint8_t> byte();
    Result<std::uint32_t> u32();
    Result<> align(std::size_t to);
    /// Also an object path. Errors: io for one that is cut, or without its NUL.
    Result<std::string> string();
    Result<std::string> signature();
    /// Steps over one value of a basic type. Errors: io for containers.
    Result<> skip(char type);
    std::size_t at() const { return at_; }
    bool at_end() const { return at_ == bytes_.size(); }

private:
    Result<std::string_view> take(std::size_t count);
    std::string_view bytes_;
    std::size_t at_ = 0;
    bool big_endian_ = false;
};

std::string encode(const Message& message);
/// How long the message is that begins with these kFixedHeaderBytes bytes.
/// Errors: io for what cannot be a message, limit_exceeded for one that is too long.
Result<std::size_t> message_size(std::string_view fixed_header);
/// One whole message. Errors: io for a malformed one.
Result<Message> decode(std::string_view bytes);

}  // namespace knarr::rpc::dbus
