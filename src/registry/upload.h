#pragma once
// One blob or manifest on its way from an open file into a registry.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "platform/fd.h"
#include "registry/job.h"

namespace knarr::registry {

/// The steps of a blob, each one request:
///
///   look --200--> done: it is there            open --201--> done: mounted from another repository
///     \--404--> open --202--> send (PATCH, whole or in chunks) --all--> close (PUT) --201--> done
///                       \--small ones--> close, with the bytes
///   after a broken send: where (GET) --204--> send from there; after anything else: look
///   an open upload that is not gone on with, for whatever reason, is left to a Dismissal
///
/// A manifest is one PUT. Source: distribution-spec v1.1 "Push".
class Upload final : public Job {
public:
    Upload(JobContext& context, rpc::Push what, sys::Fd file);

    bool leave() override;

private:
    enum class Act : std::uint8_t { look, open, send, where, close, manifest };

    std::string object() const override;
    std::string path() const override;
    HttpRequest request() override;
    bool wants(int status) const override;
    bool begin(const HttpHead&) override { return true; }
    void finish(HttpEnd end, const std::string& detail) override;
    bool other(int status) override;
    void again() override;
    /// The registry itself, never a mirror.
    bool suits(const Endpoint& endpoint) const override;
    void on_sent(std::uint64_t bytes) override;

    void go(Act act);
    bool take_location();
    void take_range();
    void go_on();
    void give_back();
    void end_if_right(std::string_view digest, rpc::Outcome how);
    std::uint64_t chunk() const;

    const rpc::Push what_;
    sys::Fd file_;
    Act act_ = Act::look;
    bool may_mount_ = true;
    std::optional<Url> location_;  ///< of the open upload
    std::uint64_t stored_ = 0;     ///< bytes that the registry has
    std::uint64_t furthest_ = 0;   ///< the most that it ever had
    std::uint64_t out_ = 0;        ///< bytes of the running request that went out
    std::uint64_t told_ = 0;       ///< of the blob, in the last news
    std::uint64_t max_chunk_ = UINT64_MAX;
    bool leaving_ = false;
    bool in_pieces_ = false;  ///< because the whole was refused
};

/// Gives an upload up (DELETE): asked once, without a word about how it went. Registries that are
/// not asked keep what came for days. Source: distribution-spec v1.1 "Cancel a blob upload".
class Dismissal final : public HttpSink {
public:
    /// The client outlives it.
    Dismissal(HttpClient& http, const HttpRequest& request);
    bool ended() const { return exchange_ == nullptr; }

private:
    bool on_head(const HttpHead&) override { return true; }
    Take on_body(std::string_view) override { return Take::taken; }
    void on_end(HttpEnd, std::string_view) override { exchange_.reset(); }

    std::unique_ptr<HttpExchange> exchange_;
};

/// "0-1023", also with "bytes=" before it: how many bytes that is. Nothing for anything else; "0-0"
/// stands for none as well as for one, and is taken for none.
std::optional<std::uint64_t> parse_upload_range(std::string_view field);

}  // namespace knarr::registry
