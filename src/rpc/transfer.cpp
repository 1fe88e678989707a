#include "rpc/transfer.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace knarr::rpc {
namespace {

enum class Type : std::uint8_t {
    session = 1,
    trust = 2,
    fetch = 3,
    push = 4,
    remove = 5,
    leave = 6,
    head = 16,
    notice = 17,
    done = 18,
    failed = 19,
    sent = 20,
};

/// The ends that a fetch can come to; anything else from knarr-pull is a lie or a bug.
constexpr std::array kFetchErrors = {
    Errc::image_not_found,
    Errc::invalid_image,
    Errc::unauthorized,
    Errc::rate_limited,
    Errc::registry_failed,
    Errc::invalid_argument,
    Errc::timed_out,
    Errc::limit_exceeded,
    Errc::unsupported,
    Errc::io,
    Errc::internal,
};

bool is_fetch_error(Errc code) {
    return std::ranges::find(kFetchErrors, code) != kFetchErrors.end();
}

class Writer {
public:
    explicit Writer(Type type) {
        bytes_.push_back(static_cast<char>(kTransferVersion));
        bytes_.push_back(static_cast<char>(type));
    }
    Writer& number(std::uint64_t value, int bytes) {
        for (int i = 0; i < bytes; ++i) {
            bytes_.push_back(static_cast<char>(value >> (8 * i) & 0xff));
        }
        return *this;
    }
    Writer& text(std::string_view value, std::size_t max) {
        value = value.substr(0, max);
        number(value.size(), 4);
        bytes_.append(value);
        return *this;
    }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

/// Reads fields in order; after the first bad one every read gives nothing and `ok()` is false.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    std::uint64_t number(int bytes, std::string_view field, std::uint64_t max = UINT64_MAX) {
        std::uint64_t value = 0;
        if (!have(static_cast<std::size_t>(bytes), field)) {
            return 0;
        }
        for (int i = 0; i < bytes; ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(rest_[static_cast<std::size_t>(i)])}
                     << (8 * i);
        }
        rest_.remove_prefix(static_cast<std::size_t>(bytes));
        if (value > max) {
            refuse(field);
            return 0;
        }
        return value;
    }
    std::uint32_t number32(std::string_view field, std::uint32_t max = UINT32_MAX) {
        return static_cast<std::uint32_t>(number(4, field, max));
    }
    std::string text(std::string_view field, std::size_t max) {
        const std::uint64_t length = number(4, field, max);
        if (!have(length, field)) {
            return {};
        }
        std::string value(rest_.substr(0, length));
        rest_.remove_prefix(length);
        return value;
    }
    /// What a request is called by its answers.
    std::uint32_t request_id() {
        const std::uint32_t id = number32("id");
        if (id == 0) {
            refuse("id");
        }
        return id;
    }
    void refuse(std::string_view field) {
        if (bad_.empty()) {
            bad_ = field;
        }
    }
    /// The value if every field was good and nothing is left over.
    template <typename Variant, typename T>
    Result<Variant> finish(std::string_view what, T value) {
        if (bad_.empty() && !rest_.empty()) {
            bad_ = "trailing bytes";
        }
        if (!bad_.empty()) {
            return fail(Errc::invalid_argument, "transfer message {}: bad {}", what, bad_);
        }
        return Variant(std::move(value));
    }

private:
    bool have(std::uint64_t bytes, std::string_view field) {
        if (bad_.empty() && rest_.size() < bytes) {
            bad_ = field;
        }
        return bad_.empty();
    }
    std::string_view rest_, bad_;
};

std::string encode_one(const Session& m) {
    return Writer(Type::session)
        .text(m.registry, kMaxNameBytes)
        .text(m.repository, kMaxNameBytes)
        .text(m.api, kMaxNameBytes)
        .text(m.ns, kMaxNameBytes)
        .text(m.scope, kMaxNameBytes)
        .text(m.headers, kMaxNameBytes)
        .text(m.username, kMaxTextBytes)
        .text(m.password, kMaxTextBytes)
        .text(m.identity_token, kMaxTextBytes)
        .number(m.plain_http ? 1 : 0, 1)
        .number(m.insecure ? 1 : 0, 1)
        .number(m.digests_only ? 1 : 0, 1)
        .number(m.is_mirror ? 1 : 0, 1)
        .number(m.only_if_dead ? 1 : 0, 1)
        .number(m.stall_seconds, 4)
        .number(m.retries, 4)
        .number(m.deadline_seconds, 4)
        .take();
}

std::string encode_one(const Trust& m) {
    return Writer(Type::trust)
        .number(static_cast<std::uint8_t>(m.kind), 1)
        .text(m.pem, kMaxPemPieceBytes)
        .take();
}

std::string encode_one(const Fetch& m) {
    return Writer(Type::fetch)
        .number(m.id, 4)
        .number(static_cast<std::uint8_t>(m.kind), 1)
        .text(m.target, kMaxTextBytes)
        .number(m.max_bytes, 8)
        .number(m.size, 8)
        .number(m.offset, 8)
        .take();
}

std::string encode_one(const Push& m) {
    return Writer(Type::push)
        .number(m.id, 4)
        .number(static_cast<std::uint8_t>(m.kind), 1)
        .text(m.target, kMaxTextBytes)
        .text(m.media_type, kMaxNameBytes)
        .number(m.size, 8)
        .text(m.mount_from, kMaxNameBytes)
        .take();
}

std::string encode_one(const Remove& m) {
    return Writer(Type::remove).number(m.id, 4).text(m.target, kMaxTextBytes).take();
}

std::string encode_one(const Leave&) {
    return Writer(Type::leave).take();
}

std::string encode_one(const Head& m) {
    return Writer(Type::head)
        .number(m.id, 4)
        .number(m.status, 4)
        .text(m.media_type, kMaxEventTextBytes)
        .text(m.digest, kMaxEventTextBytes)
        .number(m.length, 8)
        .text(m.link, kMaxNameBytes)
        .number(m.lists_referrer ? 1 : 0, 1)
        .take();
}

std::string encode_one(const Sent& m) {
    return Writer(Type::sent).number(m.id, 4).number(m.bytes, 8).take();
}

std::string encode_one(const Notice& m) {
    return Writer(Type::notice).number(m.id, 4).text(m.text, kMaxEventTextBytes).take();
}

std::string encode_one(const Done& m) {
    return Writer(Type::done)
        .number(m.id, 4)
        .number(m.bytes, 8)
        .number(static_cast<std::uint8_t>(m.how), 1)
        .take();
}

std::string encode_one(const Failed& m) {
    return Writer(Type::failed)
        .number(m.id, 4)
        .number(static_cast<std::uint8_t>(is_fetch_error(m.code) ? m.code : Errc::registry_failed),
                1)
        .text(m.message, kMaxEventTextBytes)
        .text(m.hint, kMaxEventTextBytes)
        .number(m.status, 4)
        .take();
}

Result<Request> decode_session(Reader reader) {
    Session m;
    m.registry = reader.text("registry", kMaxNameBytes);
    m.repository = reader.text("repository", kMaxNameBytes);
    m.api = reader.text("api", kMaxNameBytes);
    m.ns = reader.text("ns", kMaxNameBytes);
    m.scope = reader.text("scope", kMaxNameBytes);
    m.headers = reader.text("headers", kMaxNameBytes);
    m.username = reader.text("username", kMaxTextBytes);
    m.password = reader.text("password", kMaxTextBytes);
    m.identity_token = reader.text("identity token", kMaxTextBytes);
    m.plain_http = reader.number(1, "plain_http", 1) == 1;
    m.insecure = reader.number(1, "insecure", 1) == 1;
    m.digests_only = reader.number(1, "digests_only", 1) == 1;
    m.is_mirror = reader.number(1, "is_mirror", 1) == 1;
    m.only_if_dead = reader.number(1, "only_if_dead", 1) == 1;
    m.stall_seconds = reader.number32("stall_seconds", 24 * 3600);
    m.retries = reader.number32("retries", 100);
    m.deadline_seconds = reader.number32("deadline_seconds", 366 * 24 * 3600);
    if (m.stall_seconds == 0) {
        reader.refuse("stall_seconds");
    }
    return reader.finish<Request>("session", std::move(m));
}

Result<Request> decode_fetch(Reader reader) {
    Fetch m;
    m.id = reader.request_id();
    m.kind = static_cast<FetchKind>(reader.number(1, "kind", 5));
    m.target = reader.text("target", kMaxTextBytes);
    m.max_bytes = reader.number(8, "max_bytes", INT64_MAX);
    m.size = reader.number(8, "size", INT64_MAX);
    m.offset = reader.number(8, "offset", m.size);
    return reader.finish<Request>("fetch", std::move(m));
}

Result<Request> decode_trust(Reader reader) {
    Trust m;
    m.kind = static_cast<TrustKind>(reader.number(1, "kind", 2));
    m.pem = reader.text("certificates", kMaxPemPieceBytes);
    return reader.finish<Request>("trust", std::move(m));
}

Result<Request> decode_push(Reader reader) {
    Push m;
    m.id = reader.request_id();
    m.kind = static_cast<FetchKind>(reader.number(1, "kind", 1));
    m.target = reader.text("target", kMaxTextBytes);
    m.media_type = reader.text("media type", kMaxNameBytes);
    m.size = reader.number(8, "size", INT64_MAX);
    m.mount_from = reader.text("mount_from", kMaxNameBytes);
    return reader.finish<Request>("push", std::move(m));
}

Result<Request> decode_remove(Reader reader) {
    Remove m;
    m.id = reader.request_id();
    m.target = reader.text("target", kMaxTextBytes);
    return reader.finish<Request>("remove", std::move(m));
}

Result<Event> decode_head(Reader reader) {
    Head m;
    m.id = reader.number32("id");
    m.status = reader.number32("status", 999);
    m.media_type = printable(reader.text("media type", kMaxEventTextBytes), kMaxEventTextBytes);
    m.digest = printable(reader.text("digest", kMaxEventTextBytes), kMaxEventTextBytes);
    m.length = reader.number(8, "length", INT64_MAX);
    m.link = reader.text("link", kMaxNameBytes);
    m.lists_referrer = reader.number(1, "lists_referrer", 1) == 1;
    return reader.finish<Event>("head", std::move(m));
}

Result<Event> decode_failed(Reader reader) {
    Failed m;
    m.id = reader.number32("id");
    m.code = static_cast<Errc>(reader.number(1, "code"));
    m.message = printable(reader.text("message", kMaxEventTextBytes), kMaxEventTextBytes);
    m.hint = printable(reader.text("hint", kMaxEventTextBytes), kMaxEventTextBytes);
    m.status = reader.number32("status", 999);
    if (!is_fetch_error(m.code)) {
        reader.refuse("code");
    }
    return reader.finish<Event>("failed", std::move(m));
}

/// The type of a packet whose version is ours, and a reader on its fields.
Result<Type> open_packet(std::string_view packet) {
    if (packet.size() < 2 || packet.size() > kMaxPacketBytes) {
        return fail(Errc::invalid_argument, "transfer message of {} bytes", packet.size());
    }
    const auto version = static_cast<unsigned char>(packet[0]);
    if (version != kTransferVersion) {
        return fail(Errc::invalid_argument,
                    "transfer message of version {}, not {}: knarr and knarr-pull differ",
                    version,
                    kTransferVersion);
    }
    return static_cast<Type>(packet[1]);
}

}  // namespace

Error operation_over(std::string_view subject, std::chrono::seconds given) {
    return Error{
        .code = Errc::timed_out,
        .message = fmt::format(
            "{}: the {} s for the whole operation (--timeout) are over", subject, given.count()),
        .hint =
            "what came whole is kept: try again, or give it more by --timeout TIME; a run has "
            "more after a knarr pull --timeout TIME"};
}

std::string encode(const Request& request) {
    return std::visit([](const auto& message) { return encode_one(message); }, request);
}

std::string encode(const Event& event) {
    return std::visit([](const auto& message) { return encode_one(message); }, event);
}

Result<Request> decode_request(std::string_view packet) {
    const Type type = KNARR_TRY(open_packet(packet));
    Reader reader(packet.substr(2));
    switch (type) {
        case Type::session:
            return decode_session(reader);
        case Type::trust:
            return decode_trust(reader);
        case Type::fetch:
            return decode_fetch(reader);
        case Type::push:
            return decode_push(reader);
        case Type::remove:
            return decode_remove(reader);
        case Type::leave:
            return reader.finish<Request>("leave", Leave{});
        default:
            return fail(Errc::invalid_argument,
                        "transfer request of unknown type {}",
                        static_cast<int>(type));
    }
}

Result<Event> decode_event(std::string_view packet) {
    const Type type = KNARR_TRY(open_packet(packet));
    Reader reader(packet.substr(2));
    switch (type) {
        case Type::head:
            return decode_head(reader);
        case Type::notice: {
            Notice m;
            m.id = reader.number32("id");
            m.text = printable(reader.text("text", kMaxEventTextBytes), kMaxEventTextBytes);
            return reader.finish<Event>("notice", std::move(m));
        }
        case Type::done: {
            Done m;
            m.id = reader.number32("id");
            m.bytes = reader.number(8, "bytes", INT64_MAX);
            m.how = static_cast<Outcome>(reader.number(1, "how", 2));
            return reader.finish<Event>("done", m);
        }
        case Type::sent: {
            Sent m;
            m.id = reader.number32("id");
            m.bytes = reader.number(8, "bytes", INT64_MAX);
            return reader.finish<Event>("sent", m);
        }
        case Type::failed:
            return decode_failed(reader);
        default:
            return fail(Errc::invalid_argument,
                        "transfer event of unknown type {}",
                        static_cast<int>(type));
    }
}

}  // namespace knarr::rpc
