#include "registry/session.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/core.h"
#include "platform/socket.h"
#include "registry/fetch.h"
#include "registry/query.h"
#include "registry/upload.h"

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
            for (const auto& job : jobs_) {
                job->tick();
            }
            std::erase_if(jobs_, [this](const auto& job) {
                return (job->ended() || leaving_) && job->leave();
            });
            dismiss();
            KNARR_TRY(std::move(sent_));
            if (leaving_ && ((jobs_.empty() && dismissals_.empty()) ||
                             system_clock().steady() - *leaving_ >= rpc::kLeaveTime)) {
                return {};
            }
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

    /// Uploads that nobody goes on with are given back.
    void dismiss() {
        std::erase_if(dismissals_, [](const auto& one) { return one->ended(); });
        for (const HttpRequest& request : std::exchange(context_.left_open, {})) {
            dismissals_.push_back(std::make_unique<Dismissal>(*http_, request));
        }
    }

    Result<> take(rpc::Request request, sys::Fd fd) {
        if (std::holds_alternative<rpc::Leave>(request)) {
            leaving_ = system_clock().steady();
            return {};
        }
        if (auto* session = std::get_if<rpc::Session>(&request)) {
            return open(std::move(*session));
        }
        if (context_.endpoints.empty()) {
            return fail(Errc::invalid_argument, "transfer: the session must come first");
        }
        if (auto* trust = std::get_if<rpc::Trust>(&request)) {
            return take_trust(*trust);
        }
        return begin(std::move(request), std::move(fd));
    }

    Result<> open(rpc::Session session) {
        if (http_ || context_.endpoints.size() >= rpc::kMaxPlaces) {
            return fail(Errc::invalid_argument,
                        "transfer: a session after a job, or more than {}",
                        rpc::kMaxPlaces);
        }
        if (session.only_if_dead && context_.endpoints.empty()) {
            return fail(Errc::invalid_argument, "transfer: a first session that is a second one");
        }
        Url url =
            KNARR_TRY(registry_url(session.registry,
                                   session.plain_http,
                                   session.insecure ? Plain::anywhere : Plain::loopback_only));
        context_.stall = std::chrono::seconds(session.stall_seconds);
        context_.retries = session.retries;
        context_.deadline = std::chrono::seconds(session.deadline_seconds);
        context_.endpoints.push_back(
            std::make_unique<Endpoint>(std::move(session), std::move(url)));
        return {};
    }

    Result<> take_trust(const rpc::Trust& trust) {
        trust_bytes_ += trust.pem.size();
        if (http_ || trust_bytes_ > rpc::kMaxTrustBytes) {
            return fail(Errc::limit_exceeded,
                        "transfer: certificates after a job, or over {} bytes",
                        rpc::kMaxTrustBytes);
        }
        Tls& tls = context_.endpoints.back()->tls;
        switch (trust.kind) {
            case rpc::TrustKind::authorities:
                tls.authorities += trust.pem;
                break;
            case rpc::TrustKind::client_certificate:
                tls.client_certificate += trust.pem;
                break;
            case rpc::TrustKind::client_key:
                tls.client_key += trust.pem;
                break;
        }
        return {};
    }

    /// The sessions are complete.
    Result<> start_client() {
        for (const auto& endpoint : context_.endpoints) {
            endpoint->tls.authorities = KNARR_TRY(trusted_authorities(endpoint->tls.authorities));
            endpoint->elsewhere.authorities = endpoint->tls.authorities;
        }
        http_ = KNARR_TRY(HttpClient::create());
        context_.http = http_.get();
        context_.clock = &system_clock();
        context_.report = [this](const rpc::Event& event) { report(event); };
        if (context_.deadline.count() > 0) {
            context_.end = context_.clock->steady() + context_.deadline;
        }
        return {};
    }

    Result<> begin(rpc::Request what, sys::Fd fd) {
        const bool needs_fd = !std::holds_alternative<rpc::Remove>(what);
        if (fd.valid() != needs_fd || jobs_.size() >= limits::kMaxInFlightBlobs) {
            return fail(Errc::invalid_argument,
                        "transfer: a job without its descriptor, or over {} at once",
                        limits::kMaxInFlightBlobs);
        }
        if (!http_) {
            KNARR_TRY(start_client());
        }
        if (auto* push = std::get_if<rpc::Push>(&what)) {
            jobs_.push_back(std::make_unique<Upload>(context_, std::move(*push), std::move(fd)));
            return {};
        }
        if (auto* remove = std::get_if<rpc::Remove>(&what)) {
            jobs_.push_back(std::make_unique<Removal>(context_, std::move(*remove)));
            return {};
        }
        auto fetch = std::get<rpc::Fetch>(std::move(what));
        KNARR_TRY(sys::set_nonblocking(fd));
        sys::widen_pipe(fd, kPipeBytes);
        if (fetch.kind == rpc::FetchKind::manifest || fetch.kind == rpc::FetchKind::blob) {
            jobs_.push_back(std::make_unique<Fetch>(context_, std::move(fetch), std::move(fd)));
        } else {
            jobs_.push_back(std::make_unique<Query>(context_, std::move(fetch), std::move(fd)));
        }
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
        Clock::Steady next = leaving_ ? *leaving_ + rpc::kLeaveTime : now + std::chrono::hours(1);
        for (const auto& job : jobs_) {
            next = std::min(next, job->next_tick());
            if (const int pipe = job->blocked_pipe(); pipe >= 0) {
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
    std::optional<Clock::Steady> leaving_;  ///< since when nothing more is wanted
    std::size_t trust_bytes_ = 0;
    Result<> sent_;
    // Destroyed in reverse: jobs end their exchanges while the client still lives.
    JobContext context_;
    std::unique_ptr<HttpClient> http_;
    std::vector<std::unique_ptr<Job>> jobs_;
    std::vector<std::unique_ptr<Dismissal>> dismissals_;
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
