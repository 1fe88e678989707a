#include "image/pull_process.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>

#include "core/core.h"
#include "platform/file.h"
#include "platform/socket.h"

namespace knarr::image {
namespace {

constexpr const char* kProgram = "knarr-pull";
constexpr int kPipeBytes = 1024 * 1024;
/// Two stalls and the longest wait between tries fit in; a knarr-pull that is silent for longer
/// does not follow its own rules.
constexpr std::chrono::seconds kSilenceMargin{180};
/// More events than any pull needs: a few for each fetch and one for each wait between tries.
constexpr std::size_t kMaxEvents = 65536;
/// Names that may pass into knarr-pull's environment: how to reach the network, whom to trust.
constexpr std::array kEnvironment = {"HTTP_PROXY",
                                     "http_proxy",
                                     "HTTPS_PROXY",
                                     "https_proxy",
                                     "ALL_PROXY",
                                     "all_proxy",
                                     "NO_PROXY",
                                     "no_proxy",
                                     "SSL_CERT_FILE",
                                     "SSL_CERT_DIR"};

std::vector<std::string> helper_environment() {
    std::vector<std::string> result;
    for (const char* name : kEnvironment) {
        if (const std::string value = sys::environment(name); !value.empty()) {
            result.push_back(fmt::format("{}={}", name, value));
        }
    }
    return result;
}

Result<> check_lengths(const Place& place) {
    const rpc::Session& session = place.session;
    for (const std::string* text :
         {&session.username, &session.password, &session.identity_token}) {
        if (text->size() > rpc::kMaxTextBytes) {
            return fail(Errc::limit_exceeded,
                        "a credential for {} has {} bytes; at most {} are allowed",
                        session.registry,
                        text->size(),
                        rpc::kMaxTextBytes);
        }
    }
    for (const std::string* text : {&session.registry,
                                    &session.repository,
                                    &session.api,
                                    &session.ns,
                                    &session.scope,
                                    &session.headers}) {
        if (text->size() > rpc::kMaxNameBytes) {
            return fail(Errc::limit_exceeded,
                        "a name at {} has {} bytes; at most {} are allowed",
                        printable(session.registry),
                        text->size(),
                        rpc::kMaxNameBytes);
        }
    }
    const std::size_t pem =
        place.authorities.size() + place.client_certificate.size() + place.client_key.size();
    if (pem > rpc::kMaxTrustBytes) {
        return fail(Errc::limit_exceeded,
                    "certificates for {}: {} bytes; at most {} are allowed",
                    session.registry,
                    pem,
                    rpc::kMaxTrustBytes);
    }
    return {};
}

}  // namespace

/// The pipe of one fetch, which ends well only when knarr-pull said done.
class PullProcess::Stream final : public ByteStream {
public:
    Stream(PullProcess& process, std::uint32_t id, sys::Fd pipe)
        : process_(process), id_(id), pipe_(std::move(pipe)) {}
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() override { process_.fetches_.erase(id_); }

    int poll_fd() const override { return pipe_.get(); }
    std::string media_type() const override { return process_.fetches_.at(id_).media_type; }
    std::string next_page() const override { return process_.fetches_.at(id_).link; }

    Result<Chunk> read(std::span<char> buffer) override {
        if (pipe_.valid()) {
            auto got = sys::read_some(pipe_, buffer);
            if (!got && got.error().sys_errno == EAGAIN) {
                return Chunk{};
            }
            const std::size_t bytes = KNARR_TRY(std::move(got));
            if (bytes > 0) {
                process_.heard();
                read_ += bytes;
                return Chunk{.bytes = bytes};
            }
            pipe_.reset();  // from here on only the event can come
            KNARR_TRY(process_.pump());
        }
        Progress& progress = process_.fetches_.at(id_);
        if (progress.failed) {
            return fail(*progress.failed);
        }
        if (progress.done && progress.bytes != read_) {
            return fail(Errc::internal,
                        "knarr-pull says that it sent {} bytes, but {} came",
                        progress.bytes,
                        read_);
        }
        return Chunk{.at_end = progress.done};
    }

private:
    PullProcess& process_;
    std::uint32_t id_;
    sys::Fd pipe_;
    std::uint64_t read_ = 0;
};

Result<std::unique_ptr<PullProcess>> PullProcess::start(std::vector<Place> places,
                                                        NoticeFn notice,
                                                        const Deadline& deadline) {
    const auto left =
        std::chrono::ceil<std::chrono::seconds>(deadline.end - system_clock().steady());
    if (left.count() <= 0) {
        return fail(rpc::operation_over("asking for the login", deadline.given));
    }
    for (Place& place : places) {
        place.session.deadline_seconds = static_cast<std::uint32_t>(left.count());
        KNARR_TRY(check_lengths(place));
    }
    const sys::Fd program = KNARR_TRY(sys::open_own_program(kProgram));
    sys::SocketPair pair = KNARR_TRY(sys::make_packet_pair(sys::OurEnd::never_blocks));
    sys::Helper helper = KNARR_TRY(sys::Helper::start({.program = &program,
                                                       .argv = {kProgram, "--serve"},
                                                       .env = helper_environment(),
                                                       .socket = &pair.theirs}));
    pair.theirs.reset();
    const std::chrono::seconds silence =
        2 * std::chrono::seconds(places.back().session.stall_seconds) + kSilenceMargin;
    std::unique_ptr<PullProcess> process(new PullProcess(
        std::move(helper), std::move(pair.ours), std::move(notice), silence, deadline));
    for (const Place& place : places) {
        KNARR_TRY(process->send_place(place));
    }
    return process;
}

Result<> PullProcess::send_place(const Place& place) {
    KNARR_TRY(send(place.session));
    const auto send_pem = [&](rpc::TrustKind kind, std::string_view pem) -> Result<> {
        while (!pem.empty()) {
            const std::string_view piece = pem.substr(0, rpc::kMaxPemPieceBytes);
            pem.remove_prefix(piece.size());
            KNARR_TRY(send(rpc::Trust{.kind = kind, .pem = std::string(piece)}));
        }
        return {};
    };
    KNARR_TRY(send_pem(rpc::TrustKind::authorities, place.authorities));
    KNARR_TRY(send_pem(rpc::TrustKind::client_certificate, place.client_certificate));
    return send_pem(rpc::TrustKind::client_key, place.client_key);
}

Result<> PullProcess::send(const rpc::Request& request, const sys::Fd* pipe) {
    auto sent = sys::send_packet(socket_, rpc::encode(request), pipe);
    if (!sent) {
        KNARR_TRY(pump());  // its last words say more than our broken pipe
        return fail(Errc::internal, "knarr-pull ended too early: {}", sent.error().message);
    }
    return {};
}

Result<std::unique_ptr<ByteStream>> PullProcess::fetch(rpc::FetchKind kind,
                                                       std::string target,
                                                       std::uint64_t max_bytes,
                                                       std::uint64_t size,
                                                       std::uint64_t offset) {
    sys::Pipe pipe = KNARR_TRY(sys::make_pipe());
    sys::widen_pipe(pipe.read, kPipeBytes);
    KNARR_TRY(sys::set_nonblocking(pipe.read));
    const std::uint32_t id = next_id_++;
    const rpc::Fetch request{.id = id,
                             .kind = kind,
                             .target = std::move(target),
                             .max_bytes = max_bytes,
                             .size = size,
                             .offset = offset};
    KNARR_TRY(send(request, &pipe.write));
    fetches_.emplace(id, Progress{});
    heard();
    return std::unique_ptr<ByteStream>(std::make_unique<Stream>(*this, id, std::move(pipe.read)));
}

Result<std::uint32_t> PullProcess::push(rpc::Push what, const sys::Fd& file) {
    what.id = next_id_++;
    const std::uint32_t id = what.id;
    KNARR_TRY(send(std::move(what), &file));
    orders_.emplace(id, Order{});
    heard();
    return id;
}

Result<std::uint32_t> PullProcess::remove(std::string digest) {
    const std::uint32_t id = next_id_++;
    KNARR_TRY(send(rpc::Remove{.id = id, .target = std::move(digest)}));
    orders_.emplace(id, Order{});
    heard();
    return id;
}

void PullProcess::leave() {
    constexpr std::chrono::milliseconds kMargin{500};
    const Clock::Steady end = system_clock().steady() + rpc::kLeaveTime + kMargin;
    if (!socket_.valid() || !sys::send_packet(socket_, rpc::encode(rpc::Request(rpc::Leave{})))) {
        return;
    }
    while (true) {
        // What it still says is of no interest: only that it is gone.
        const auto packet = sys::receive_packet(socket_, rpc::kMaxPacketBytes);
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(end - system_clock().steady());
        if (!packet || (packet->has_value() && (*packet)->closed) || left.count() <= 0) {
            break;
        }
        sys::Ready item{.fd = socket_.get()};
        if (!packet->has_value() && !sys::wait_ready({&item, 1}, static_cast<int>(left.count()))) {
            break;
        }
    }
    socket_.reset();
}

Result<> PullProcess::pump() {
    while (socket_.valid()) {
        std::optional<sys::Packet> packet =
            KNARR_TRY(sys::receive_packet(socket_, rpc::kMaxPacketBytes), "hear knarr-pull");
        if (!packet) {
            break;
        }
        if (packet->closed) {
            socket_.reset();
            if (is_idle()) {
                return {};  // nothing is wanted from it any more
            }
            return fail(Errc::internal, "knarr-pull ended too early");
        }
        heard();
        if (++events_ > kMaxEvents) {
            return fail(Errc::limit_exceeded,
                        "knarr-pull does not stop to talk: more than {} messages",
                        kMaxEvents);
        }
        rpc::Event event = KNARR_TRY(rpc::decode_event(packet->bytes), "hear knarr-pull");
        KNARR_TRY(take(std::move(event)));
    }
    const Clock::Steady now = system_clock().steady();
    if (now >= end()) {
        return fail(rpc::operation_over("knarr", deadline_.given));
    }
    if (!is_idle() && now - last_heard_ > silence_) {
        return fail(Errc::timed_out, "knarr-pull has been silent for {} s", silence_.count());
    }
    return {};
}

Result<> PullProcess::take(rpc::Event event) {
    if (auto* notice = std::get_if<rpc::Notice>(&event)) {
        if (notice_) {
            notice_(notice->text);
        }
        return {};
    }
    auto* failed = std::get_if<rpc::Failed>(&event);
    Error error;
    if (failed != nullptr) {
        error = Error{.code = failed->code,
                      .message = std::move(failed->message),
                      .hint = std::move(failed->hint)};
        if (failed->id == 0) {
            return fail(std::move(error));
        }
    }
    const std::uint32_t id = std::visit([](const auto& message) { return message.id; }, event);
    if (const auto order = orders_.find(id); order != orders_.end()) {
        if (failed != nullptr) {
            order->second.failed = std::move(error);
        } else {
            take_order(order->second, event);
        }
        return {};
    }
    const auto at = fetches_.find(id);
    if (at == fetches_.end()) {
        return {};  // given up meanwhile
    }
    if (failed != nullptr) {
        at->second.failed = std::move(error);
    } else if (const auto* head = std::get_if<rpc::Head>(&event)) {
        at->second.media_type = head->media_type.substr(0, head->media_type.find_first_of("; "));
        at->second.link = head->link;
    } else if (const auto* done = std::get_if<rpc::Done>(&event)) {
        at->second.done = true;
        at->second.bytes = done->bytes;
    }
    return {};
}

void PullProcess::take_order(Order& order, rpc::Event& event) {
    if (const auto* sent = std::get_if<rpc::Sent>(&event)) {
        order.sent = std::max(order.sent, sent->bytes);  // a retry may go back
    } else if (auto* head = std::get_if<rpc::Head>(&event)) {
        order.digest = std::move(head->digest);
        order.lists_referrer = head->lists_referrer;
    } else if (const auto* done = std::get_if<rpc::Done>(&event)) {
        order.done = true;
        order.bytes = done->bytes;
        order.how = done->how;
    }
}

}  // namespace knarr::image
