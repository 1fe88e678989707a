#pragma once
// Small questions and orders: whether a login is good, lists of tags and referrers, deleting.

#include <string>
#include <string_view>

#include "platform/fd.h"
#include "registry/job.h"

namespace knarr::registry {

/// Its answer is collected, and goes into the pipe when it is whole.
class Query final : public Job {
public:
    /// `kind` is none of manifest and blob.
    Query(JobContext& context, rpc::Fetch what, sys::Fd pipe)
        : Job(context, what.id), what_(std::move(what)), pipe_(std::move(pipe)) {}

    void tick() override;
    int blocked_pipe() const override { return pending_.empty() ? -1 : pipe_.get(); }

private:
    std::string object() const override;
    std::string path() const override;
    HttpRequest request() override;
    bool wants(int status) const override { return status == 200; }
    bool begin(const HttpHead& head) override;
    Take take(std::string_view bytes) override { return collect(bytes, what_.max_bytes); }
    void finish(HttpEnd end, const std::string& detail) override;
    /// Mirrors know neither all tags nor whether a login is good.
    bool suits(const Endpoint& endpoint) const override;
    bool is_held_up() const override { return !pending_.empty(); }

    const rpc::Fetch what_;
    sys::Fd pipe_;
    std::string pending_;
    std::uint64_t bytes_ = 0;
};

/// Deletes a manifest by its digest. Source: distribution-spec v1.1 "Deleting Manifests".
class Removal final : public Job {
public:
    Removal(JobContext& context, rpc::Remove what)
        : Job(context, what.id), what_(std::move(what)) {}

private:
    std::string object() const override;
    std::string path() const override { return endpoint().path("manifests/" + what_.target); }
    HttpRequest request() override { return {.method = "DELETE"}; }
    bool wants(int status) const override { return status == 202 || status == 200; }
    bool begin(const HttpHead&) override { return true; }
    void finish(HttpEnd end, const std::string& detail) override;
    bool may_leave_home() const override { return false; }
    bool other(int status) override;
    bool suits(const Endpoint& endpoint) const override;

    const rpc::Remove what_;
};

}  // namespace knarr::registry
