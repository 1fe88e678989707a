#include "registry/query.h"

#include "core/core.h"
#include "platform/socket.h"
#include "spec/image.h"

namespace knarr::registry {

bool Query::suits(const Endpoint& endpoint) const {
    return !endpoint.place.is_mirror;
}

std::string Query::object() const {
    switch (what_.kind) {
        case rpc::FetchKind::tags:
            return "tags";
        case rpc::FetchKind::referrers:
            return "referrers of " + printable(what_.target, 80);
        case rpc::FetchKind::page:
            return "further page";
        default:
            return "";
    }
}

std::string Query::path() const {
    switch (what_.kind) {
        case rpc::FetchKind::tags:
            return endpoint().path("tags/list");
        case rpc::FetchKind::referrers:
            return endpoint().path("referrers/" + what_.target);
        case rpc::FetchKind::page:
            return what_.target;
        default:
            return endpoint().place.api + "/";
    }
}

HttpRequest Query::request() {
    HttpRequest request;
    if (what_.kind == rpc::FetchKind::referrers) {
        request.headers.push_back(fmt::format("Accept: {}", spec::media::kOciIndex));
    }
    return request;
}

bool Query::begin(const HttpHead& head) {
    std::string link = next_link(head.field("link"));
    if (!link.empty()) {
        // Only within the registry: the login goes along.
        const auto to = follow(url_, link);
        if (!to || !to->same_origin(endpoint().url) || to->rest.size() > rpc::kMaxNameBytes) {
            fatal_ = refused(Errc::registry_failed,
                             "its next page is said to be at another place, or has an address "
                             "that is too long");
            return false;
        }
        link = to->rest;
    }
    context_.report(rpc::Head{.id = id_,
                              .status = static_cast<std::uint32_t>(head.status),
                              .media_type = std::string(head.field("content-type")),
                              .digest = {},
                              .link = std::move(link)});
    return true;
}

void Query::finish(HttpEnd end, const std::string& detail) {
    if (end != HttpEnd::complete) {
        retry("the connection broke", context_.retries, refused(Errc::registry_failed, detail));
        return;
    }
    const rpc::Session& place = endpoint().place;
    const bool has_login = !place.username.empty() || !place.identity_token.empty();
    if (what_.kind == rpc::FetchKind::ping && has_login && endpoint().login.header().empty()) {
        context_.report(rpc::Notice{
            .id = id_, .text = subject() + " asks nobody for a login: it was not tried"});
    }
    pending_ = std::move(answer_);
    bytes_ = pending_.size();
    step_ = Step::draining;
    tick();
}

void Query::tick() {
    Job::tick();
    while (step_ == Step::draining && !pending_.empty()) {
        const auto put = sys::write_some(pipe_, pending_);
        if (!put) {
            end_with(refused(Errc::io, "the reader of the pipe is gone"));
            return;
        }
        if (!put->has_value()) {
            return;
        }
        pending_.erase(0, **put);
    }
    if (step_ == Step::draining) {
        pipe_.reset();
        end_well(bytes_);
    }
}

std::string Removal::object() const {
    return "manifest " + printable(what_.target, 80);
}

bool Removal::suits(const Endpoint& endpoint) const {
    return !endpoint.place.is_mirror;
}

void Removal::finish(HttpEnd, const std::string&) {
    end_well(0);  // the status says all
}

bool Removal::other(int status) {
    if (status != 405 && status != 400) {
        return false;
    }
    Error error =
        refused(Errc::unsupported, fmt::format("the registry does not delete ({})", status));
    end_with(std::move(error).advise("its operator has to allow it: docker-registry by "
                                     "REGISTRY_STORAGE_DELETE_ENABLED=true"),
             status);
    return true;
}

}  // namespace knarr::registry
