#include "registry/session.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "core/core.h"
#include "platform/socket.h"
#include "registry/fetch.h"

namespace knarr::registry {
namespace {

constexpr int kPipeBytes = 1024 * 1024;

class SessionServer {
public:
    explicit SessionServer(const sys::Fd& socket) : socket_(socket) {}

    Result<> run() {
        while (!closed_) {
            KNARR_TRY(take_requests());
            if (http_) {
                KNARR_TRY(http_->run());
            }
            for (const auto& fetch : fetches_) {
                fetch->tick();
            }
            std::erase_if(fetches_, [](const auto& fetch) { return fetch->ended(); });
            KNARR_TRY(std::move(sent_));
            KNARR_TRY(wait());
        }
        return {};
    }

private:
    Result<> take_requests() {
        while (!closed_) {
            std::optional<sys::Packet> packet =
                KNARR_TRY(sys::receive_packet(socket_, rpc::kMaxPacketBytes));
            if (!packet) {
                return {};
            }
            closed_ = packet->closed;
            if (!closed_) {
                rpc::Request request = KNARR_TRY(rpc::decode_request(packet->bytes));
                KNARR_TRY(take(std::move(request), std::move(packet->fd)));
            }
        }
        return {};
    }

    Result<> take(rpc::Request request, sys::Fd fd) {
        if (auto* session = std::get_if<rpc::Session>(&request)) {
            if (login_) {
                return fail(Errc::invalid_argument, "transfer: a second session");
            }
            return open(*session);
        }
        if (!login_) {
            return fail(Errc::invalid_argument, "transfer: the session must come first");
        }
        if (auto* trust = std::get_if<rpc::Trust>(&request)) {
            if (http_ || trust_.size() + trust->pem.size() > rpc::kMaxTrustBytes) {
                return fail(Errc::limit_exceeded,
                            "transfer: certificates after a fetch, or over {} bytes",
                            rpc::kMaxTrustBytes);
            }
            trust_ += trust->pem;
            return {};
        }
        return begin(std::get<rpc::Fetch>(std::move(request)), std::move(fd));
    }

    Result<> open(const rpc::Session& session) {
        context_.registry = KNARR_TRY(registry_url(session.registry, session.plain_http));
        context_.repository = session.repository;
        context_.stall = std::chrono::seconds(session.stall_seconds);
        context_.retries = session.retries;
        context_.clock = &system_clock();
        context_.report = [this](const rpc::Event& event) { report(event); };
        login_ = std::make_unique<Login>(session, context_.registry);
        context_.login = login_.get();
        return {};
    }

    Result<> begin(rpc::Fetch what, sys::Fd pipe) {
        if (!pipe.valid() || fetches_.size() >= limits::kMaxInFlightBlobs) {
            return fail(Errc::invalid_argument,
                        "transfer: a fetch without a pipe, or over {} at once",
                        limits::kMaxInFlightBlobs);
        }
        if (!http_) {
            http_ = KNARR_TRY(HttpClient::create(std::move(trust_)));
            context_.http = http_.get();
        }
        KNARR_TRY(sys::set_nonblocking(pipe));
        sys::widen_pipe(pipe, kPipeBytes);
        fetches_.push_back(std::make_unique<Fetch>(context_, std::move(what), std::move(pipe)));
        return {};
    }

    void report(const rpc::Event& event) {
        auto sent = sys::send_packet(socket_, rpc::encode(event));
        if (!sent && sent_) {
            sent_ = std::move(sent);
        }
    }

    Result<> wait() {
        std::vector<sys::Ready> items{{.fd = socket_.get()}};
        const Clock::Steady now = system_clock().steady();
        Clock::Steady next = now + std::chrono::hours(1);
        for (const auto& fetch : fetches_) {
            next = std::min(next, fetch->next_tick());
            if (const int pipe = fetch->blocked_pipe(); pipe >= 0) {
                items.push_back({.fd = pipe, .to_write = true});
            }
        }
        const auto timeout = std::max(std::chrono::ceil<std::chrono::milliseconds>(next - now),
                                      std::chrono::milliseconds(0));
        return http_ ? http_->wait(items, timeout)
                     : sys::wait_ready(items, static_cast<int>(timeout.count()));
    }

    const sys::Fd& socket_;
    bool closed_ = false;
    std::string trust_;
    Result<> sent_;
    // Destroyed in reverse: fetches end their exchanges while the client still lives.
    std::unique_ptr<Login> login_;
    std::unique_ptr<HttpClient> http_;
    FetchContext context_;
    std::vector<std::unique_ptr<Fetch>> fetches_;
};

}  // namespace

Result<> serve(const sys::Fd& socket) {
    KNARR_TRY(sys::set_nonblocking(socket));
    auto served = SessionServer(socket).run();
    if (!served) {
        const Error& error = served.error();
        // Best effort: knarr may be gone, which is how sessions end.
        static_cast<void>(sys::send_packet(socket,
                                           rpc::encode(rpc::Failed{.id = 0,
                                                                   .code = error.code,
                                                                   .message = error.message,
                                                                   .hint = error.hint,
                                                                   .status = 0})));
    }
    return served;
}

}  // namespace knarr::registry
