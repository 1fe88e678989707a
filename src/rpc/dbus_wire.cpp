#include "rpc/dbus_wire.h"

#include <algorithm>

#include "core/overloaded.h"

namespace knarr::rpc::dbus {

namespace {

constexpr std::uint8_t kVersion = 1;

// Header fields. Source: D-Bus Specification, "Header Fields".
enum class Field : std::uint8_t {
    path = 1,
    interface = 2,
    member = 3,
    error_name = 4,
    reply_serial = 5,
    destination = 6,
    sender = 7,
    signature = 8,
};

std::uint32_t number(std::string_view four, bool big_endian) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t at = big_endian ? i : 3 - i;
        value = value << 8U | static_cast<std::uint8_t>(four[at]);
    }
    return value;
}

std::size_t padded(std::size_t size, std::size_t to) {
    return (size + to - 1) / to * to;
}

void write_field(Encoder& out, Field field, std::string_view type, std::string_view text) {
    if (text.empty()) {
        return;
    }
    out.align(8);
    out.byte(static_cast<std::uint8_t>(field));
    out.signature(type);
    if (type == "g") {
        out.signature(text);
    } else {
        out.string(text);
    }
}

Result<> read_field(Decoder& in, Message& out) {
    KNARR_TRY(in.align(8));
    const auto field = static_cast<Field>(KNARR_TRY(in.byte()));
    const std::string type = KNARR_TRY(in.signature());
    if (type.size() != 1) {
        return fail(Errc::io, "D-Bus: a header field that is not of one plain type");
    }
    std::string* text = nullptr;
    char wanted = 's';
    switch (field) {
        case Field::path:
            text = &out.path;
            wanted = 'o';
            break;
        case Field::interface:
            text = &out.interface;
            break;
        case Field::member:
            text = &out.member;
            break;
        case Field::error_name:
            text = &out.error_name;
            break;
        case Field::destination:
            text = &out.destination;
            break;
        case Field::sender:
            text = &out.sender;
            break;
        case Field::signature:
            text = &out.signature;
            wanted = 'g';
            break;
        case Field::reply_serial:
            wanted = 'u';
            break;
        default:  // to be ignored, says the specification
            return in.skip(type.front());
    }
    if (type.front() != wanted) {
        return fail(Errc::io,
                    "D-Bus: header field {} has another type than {}",
                    static_cast<int>(field),
                    wanted);
    }
    if (text == nullptr) {
        out.reply_serial = KNARR_TRY(in.u32());
    } else {
        *text = wanted == 'g' ? KNARR_TRY(in.signature()) : KNARR_TRY(in.string());
    }
    return {};
}

}  // namespace

std::string_view signature_of(const Value& value) {
    constexpr std::string_view kSignatures[] = {"b", "i", "u", "t", "s", "as", "au", "ay", "a(ss)"};
    return kSignatures[value.index()];
}

void Encoder::align(std::size_t to) {
    bytes_.resize(padded(bytes_.size(), to));
}

void Encoder::u32(std::uint32_t value) {
    align(4);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        byte(static_cast<std::uint8_t>(value >> shift));
    }
}

void Encoder::u64(std::uint64_t value) {
    align(8);
    u32(static_cast<std::uint32_t>(value));
    u32(static_cast<std::uint32_t>(value >> 32U));
}

void Encoder::string(std::string_view text) {
    u32(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
    byte(0);
}

void Encoder::signature(std::string_view text) {
    byte(static_cast<std::uint8_t>(text.size()));
    bytes_ += text;
    byte(0);
}

Encoder::Array Encoder::begin_array(std::size_t align_to) {
    u32(0);
    const std::size_t length_at = bytes_.size() - 4;
    align(align_to);  // not counted in the length
    return {.length_at = length_at, .start = bytes_.size()};
}

void Encoder::end_array(Array array) {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - array.start);
    for (std::size_t i = 0; i < 4; ++i) {
        bytes_[array.length_at + i] = static_cast<char>(length >> (8 * i));
    }
}

void Encoder::variant(const Value& one) {
    signature(signature_of(one));
    value(one);
}

void Encoder::value(const Value& one) {
    std::visit(Overloaded{
                   [&](bool b) { u32(b ? 1 : 0); },
                   [&](std::int32_t n) { u32(static_cast<std::uint32_t>(n)); },
                   [&](std::uint32_t n) { u32(n); },
                   [&](std::uint64_t n) { u64(n); },
                   [&](const std::string& text) { string(text); },
                   [&](const std::vector<std::string>& all) {
                       const Array array = begin_array(4);
                       for (const std::string& text : all) {
                           string(text);
                       }
                       end_array(array);
                   },
                   [&](const std::vector<std::uint32_t>& all) {
                       const Array array = begin_array(4);
                       for (const std::uint32_t n : all) {
                           u32(n);
                       }
                       end_array(array);
                   },
                   [&](const Bytes& all) {
                       const Array array = begin_array(1);
                       for (const std::uint8_t n : all) {
                           byte(n);
                       }
                       end_array(array);
                   },
                   [&](const Pairs& all) {
                       const Array array = begin_array(8);
                       for (const auto& [first, second] : all) {
                           align(8);
                           string(first);
                           string(second);
                       }
                       end_array(array);
                   },
               },
               one);
}

Result<std::string_view> Decoder::take(std::size_t count) {
    if (count > bytes_.size() - at_) {
        return fail(Errc::io, "D-Bus: a message ends in the middle of a value");
    }
    const std::string_view part = bytes_.substr(at_, count);
    at_ += count;
    return part;
}

Result<> Decoder::align(std::size_t to) {
    KNARR_TRY(take(padded(at_, to) - at_));
    return {};
}

Result<std::uint8_t> Decoder::byte() {
    const std::string_view one = KNARR_TRY(take(1));
    return static_cast<std::uint8_t>(one.front());
}

Result<std::uint32_t> Decoder::u32() {
    KNARR_TRY(align(4));
    return number(KNARR_TRY(take(4)), big_endian_);
}

Result<std::string> Decoder::string() {
    const std::size_t size = KNARR_TRY(u32());
    const std::string_view text = KNARR_TRY(take(size));
    if (KNARR_TRY(byte()) != 0 || text.find('\0') != std::string_view::npos) {
        return fail(Errc::io, "D-Bus: a string does not end where it says");
    }
    return std::string(text);
}

Result<std::string> Decoder::signature() {
    const std::size_t size = KNARR_TRY(byte());
    const std::string_view text = KNARR_TRY(take(size));
    if (KNARR_TRY(byte()) != 0) {
        return fail(Errc::io, "D-Bus: a signature does not end where it says");
    }
    return std::string(text);
}

Result<> Decoder::skip(char type) {
    switch (type) {
        case 'y':
            KNARR_TRY(take(1));
            return {};
        case 'n':
        case 'q':
            KNARR_TRY(align(2));
            KNARR_TRY(take(2));
            return {};
        case 'b':
        case 'i':
        case 'u':
        case 'h':
            KNARR_TRY(u32());
            return {};
        case 'x':
        case 't':
        case 'd':
            KNARR_TRY(align(8));
            KNARR_TRY(take(8));
            return {};
        case 's':
        case 'o':
            KNARR_TRY(string());
            return {};
        case 'g':
            KNARR_TRY(signature());
            return {};
        default:
            return fail(Errc::io, "D-Bus: a value of type {} where a plain one is due", int{type});
    }
}

std::string encode(const Message& message) {
    Encoder out;
    out.byte('l');
    out.byte(static_cast<std::uint8_t>(message.type));
    out.byte(0);
    out.byte(kVersion);
    out.u32(static_cast<std::uint32_t>(message.body.size()));
    out.u32(message.serial);
    const Encoder::Array fields = out.begin_array(8);
    write_field(out, Field::path, "o", message.path);
    write_field(out, Field::interface, "s", message.interface);
    write_field(out, Field::member, "s", message.member);
    write_field(out, Field::error_name, "s", message.error_name);
    write_field(out, Field::destination, "s", message.destination);
    write_field(out, Field::sender, "s", message.sender);
    write_field(out, Field::signature, "g", message.signature);
    if (message.reply_serial != 0) {
        out.align(8);
        out.byte(static_cast<std::uint8_t>(Field::reply_serial));
        out.signature("u");
        out.u32(message.reply_serial);
    }
    out.end_array(fields);
    out.align(8);
    return std::move(out).take() + message.body;
}

Result<std::size_t> message_size(std::string_view fixed_header) {
    if (fixed_header.size() < kFixedHeaderBytes) {
        return fail(Errc::io, "D-Bus: a message of {} bytes", fixed_header.size());
    }
    const char order = fixed_header[0];
    if ((order != 'l' && order != 'B') || static_cast<std::uint8_t>(fixed_header[3]) != kVersion) {
        return fail(Errc::io, "D-Bus: what came is no D-Bus message of version {}", kVersion);
    }
    // Four bytes each: the sum cannot overflow.
    const std::size_t body = number(fixed_header.substr(4, 4), order == 'B');
    const std::size_t fields = number(fixed_header.substr(12, 4), order == 'B');
    const std::size_t size = padded(kFixedHeaderBytes + fields, 8) + body;
    if (size > kMaxMessageBytes) {
        return fail(Errc::limit_exceeded,
                    "D-Bus: a message of {} bytes; at most {} are read",
                    size,
                    kMaxMessageBytes);
    }
    return size;
}

Result<Message> decode(std::string_view bytes) {
    const std::size_t size = KNARR_TRY(message_size(bytes));
    if (size != bytes.size()) {
        return fail(Errc::io, "D-Bus: a message of {} bytes says {}", bytes.size(), size);
    }
    Message message;
    message.big_endian = bytes[0] == 'B';
    message.type = static_cast<MessageType>(bytes[1]);
    message.serial = number(bytes.substr(8, 4), message.big_endian);
    const std::size_t fields = number(bytes.substr(12, 4), message.big_endian);
    const std::size_t fields_end = kFixedHeaderBytes + fields;
    Decoder in(bytes.substr(0, fields_end), message.big_endian, kFixedHeaderBytes);
    while (!in.at_end()) {
        KNARR_TRY(read_field(in, message));
    }
    message.body = bytes.substr(padded(fields_end, 8));
    return message;
}

}  // namespace knarr::rpc::dbus
