#pragma once
// One object on its way from a registry into a pipe, through logins, redirects, waits and retries.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "platform/fd.h"
#include "registry/auth.h"
#include "registry/http.h"
#include "registry/retry.h"
#include "rpc/transfer.h"

namespace knarr::registry {

/// What all fetches of a session share; outlives them.
struct FetchContext {
    HttpClient* http = nullptr;
    Login* login = nullptr;
    const Clock* clock = nullptr;
    Url registry = {};
    std::string repository = {};
    std::chrono::seconds stall{300};
    unsigned retries = 5;
    std::function<void(const rpc::Event&)> report = {};
};

/// The steps of a fetch:
///
///   waiting --(its time comes)--> asking --200/206--> receiving --whole--> draining --> ended
///      ^                            |  ^ \--3xx--> asking at the new place
///      |                            |  \--401--> token --200--> asking
///      \--429, 5xx, broken, stalled-/ (receiving too: it resumes where the pipe stands)
///
/// A manifest is small: it is collected, and goes into the pipe when it is whole. A blob flows.
/// Every way out reports exactly one done or failed.
class Fetch final : private HttpSink {
public:
    Fetch(FetchContext& context, rpc::Fetch what, sys::Fd pipe);
    Fetch(const Fetch&) = delete;
    Fetch& operator=(const Fetch&) = delete;

    /// Does what time or the pipe allow now. Call after every wait.
    void tick();
    bool ended() const { return step_ == Step::ended; }
    /// The pipe that must take bytes before this fetch can go on; -1 when it does not wait for it.
    int blocked_pipe() const;
    /// When tick() has something to do even if nothing else happens.
    Clock::Steady next_tick() const;

private:
    enum class Step : std::uint8_t { waiting, asking, token, receiving, draining, ended };

    bool on_head(const HttpHead& head) override;
    Take on_body(std::string_view bytes) override;
    void on_end(HttpEnd end, std::string_view detail) override;

    void ask();
    void ask_token(const HttpRequest& request);
    void start(const HttpRequest& request, Step step);
    bool begin_body(const HttpHead& head);
    Take collect(std::string_view bytes, std::uint64_t max);
    Take pass_on(std::string_view bytes);
    bool is_manifest() const { return what_.kind == rpc::FetchKind::manifest; }
    std::string object_path() const;
    bool check_length(const HttpHead& head);
    void after_answer();
    void after_body(HttpEnd end, const std::string& detail);
    void after_token(HttpEnd end, const std::string& detail);
    void after_unauthorized();
    void after_refusal();
    void redirect();
    void retry(std::string reason,
               unsigned max_retries,
               Error last,
               std::optional<std::chrono::seconds> wait = std::nullopt);
    void check_stall();
    bool flush();
    void end_with(Error error, int status = 0);
    Error refused(Errc code, std::string_view what) const;
    std::string subject() const;

    FetchContext& context_;
    const rpc::Fetch what_;
    sys::Fd pipe_;
    std::unique_ptr<HttpExchange> exchange_;
    Step step_ = Step::waiting;
    Url url_;
    unsigned redirects_ = 0;
    unsigned tries_ = 0;      ///< retries since the last progress
    unsigned stalls_ = 0;     ///< of them, stalls
    bool refreshed_ = false;  ///< one new login per fetch
    bool may_resume_ = true;  ///< Range is understood
    bool head_reported_ = false;
    unsigned generation_ = 0;  ///< of the login that the running request carries
    HttpHead head_;
    std::optional<Error> fatal_;  ///< why a sink function stopped the exchange
    std::string answer_;          ///< body of a token, an error or a manifest: bounded
    std::string pending_;         ///< bytes that the pipe did not take yet
    std::uint64_t put_ = 0;       ///< bytes of the object handed to pipe and pending_
    std::uint64_t skip_ = 0;      ///< bytes to drop: we have them and Range was ignored
    std::uint64_t progress_mark_ = 0;
    Clock::Steady wake_at_{};
    Clock::Steady stall_start_{};
    std::uint64_t stall_bytes_ = 0;
};

}  // namespace knarr::registry
