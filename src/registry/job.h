#pragma once
// One thing to do at a registry, through logins, redirects, waits, retries and mirrors. What it is,
// the derived classes say: fetch.h, query.h, upload.h.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/limits.h"
#include "registry/endpoint.h"
#include "registry/http.h"
#include "registry/lanes.h"
#include "registry/retry.h"
#include "rpc/transfer.h"

namespace knarr::registry {

/// What all jobs share; outlives them.
struct JobContext {
    HttpClient* http = nullptr;
    const Clock* clock = nullptr;
    Endpoints endpoints = {};   ///< all with the same patience
    std::size_t preferred = 0;  ///< where the first object was found
    std::chrono::seconds stall{300};
    std::chrono::seconds deadline{0};  ///< for everything together; 0: none
    Clock::Steady end = Clock::Steady::max();
    unsigned retries = 5;
    unsigned spare_lanes = lanes::kAllTogether;  ///< see lanes.h
    std::function<void(const rpc::Event&)> report = {};
    std::vector<HttpRequest> left_open = {};  ///< DELETE of uploads that nobody goes on with
    std::set<std::string> warnings = {};      ///< of registries that were told: each once, so many
};

/// The steps of a job:
///
///   waiting --(its time comes)--> asking --wanted--> receiving --> what the derived class says
///      ^                            |  ^ \--3xx--> asking at the new place
///      |                            |  \--401--> token --200--> asking
///      \--429, 5xx, broken, stalled-/ (receiving too)
///
/// Every way out reports exactly one done or failed.
class Job : protected HttpSink {
public:
    Job(JobContext& context, std::uint32_t id);
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    ~Job() override = default;

    /// Does what time allows now. Call after every wait.
    virtual void tick();
    bool ended() const { return step_ == Step::ended; }
    /// It has ended, or nobody wants it any more: what the registry is to know goes into left_open.
    /// False while that is not known yet; to be asked again after every wait.
    virtual bool leave() { return true; }
    /// The pipe that must take bytes before this job can go on; -1 when it does not wait for it.
    virtual int blocked_pipe() const { return -1; }
    /// When tick() has something to do even if nothing else happens.
    Clock::Steady next_tick() const;

protected:
    enum class Step : std::uint8_t { waiting, asking, token, receiving, draining, ended };

    // --- what a derived class says ---
    /// What it is about: "blob sha256:..."
    virtual std::string object() const = 0;
    /// Of the endpoint's repository: "blobs/sha256:...".
    virtual std::string path() const = 0;
    /// The next request; address, login and trust are put in here.
    virtual HttpRequest request() = 0;
    /// Whether an answer with this status is one to go on with.
    virtual bool wants(int status) const = 0;
    /// Its head came. False when fatal_ says why it will not do.
    virtual bool begin(const HttpHead& head) = 0;
    /// Some of its body; taken together in answer_ unless the class does otherwise.
    virtual Take take(std::string_view bytes) { return collect(bytes, limits::kMaxHttpBodyBytes); }
    /// It is over, not necessarily whole.
    virtual void finish(HttpEnd end, const std::string& detail) = 0;
    /// Any other answer, but a redirect or a first 401; false: what is usual for it.
    virtual bool other(int) { return false; }
    /// The time to try again has come.
    virtual void again();
    /// Whether this endpoint can be asked for it; never a mirror for anything but a fetch.
    virtual bool suits(const Endpoint& endpoint) const = 0;
    /// Whether a redirect may lead to another host.
    virtual bool may_leave_home() const { return true; }
    /// Whether bytes are waited for that another has to take first.
    virtual bool is_held_up() const { return false; }
    /// Whether something is expected of the network.
    virtual bool is_running() const { return exchange_ != nullptr; }

    // --- what a derived class can do ---
    void ask();
    /// With the address, login and trust of now.
    HttpRequest addressed(HttpRequest request);
    void go_home();
    void end_with(Error error, int status = 0);
    /// Ends this endpoint's part: the next one is asked, if there is one.
    void give_up(Error error, int status = 0);
    void end_well(std::uint64_t bytes, rpc::Outcome how = rpc::Outcome::transferred);
    void retry(const std::string& reason,
               unsigned max_retries,
               Error last,
               std::optional<std::chrono::seconds> wait = std::nullopt);
    Take collect(std::string_view bytes, std::uint64_t max);
    Error refused(Errc code, std::string_view what) const;
    std::string subject() const;
    Endpoint& endpoint() const { return turns_.current(); }
    void on_sent(std::uint64_t bytes) override { stall_bytes_ += bytes; }  // or came
    /// The next object is looked for where this one was, unless a place before was not asked.
    void remember_place();
    /// Something was achieved: the counts of tries start again.
    void made_progress() { tries_ = stalls_ = 0; }
    bool is_home() const { return url_.same_origin(endpoint().url); }

    JobContext& context_;
    const std::uint32_t id_;
    std::unique_ptr<HttpExchange> exchange_;
    Step step_ = Step::waiting;
    Url url_;
    HttpHead head_;
    std::optional<Error> fatal_;  ///< why a sink function stopped the exchange
    std::string answer_;          ///< body of a token, an error or a document: bounded
    bool lost_ = false;           ///< it cannot be tried again
    Clock::Steady stall_start_{};

private:
    bool on_head(const HttpHead& head) final;
    Take on_body(std::string_view bytes) final;
    void on_end(HttpEnd end, std::string_view detail) final;

    void start(const HttpRequest& request, Step step);
    void after_answer();
    void after_token(HttpEnd end, const std::string& detail);
    void after_unauthorized();
    void after_refusal();
    void redirect();
    void tell_warnings();
    void check_time();

    Turns turns_;
    unsigned redirects_ = 0;
    unsigned tries_ = 0;       ///< retries since the last progress
    unsigned stalls_ = 0;      ///< of them, stalls
    bool refreshed_ = false;   ///< one new login per answer
    unsigned generation_ = 0;  ///< of the login that the running request carries
    Clock::Steady wake_at_{};
    std::uint64_t stall_bytes_ = 0;
};

}  // namespace knarr::registry
