#pragma once
// Logging in to a registry: which header to send, and how to get a better one after a 401.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"
#include "registry/challenge.h"
#include "registry/http.h"
#include "rpc/transfer.h"

namespace knarr::registry {

/// "Basic ..." for a user and a password. Source: RFC 7617.
std::string basic_authorization(std::string_view username, std::string_view password);

/// The login at one place: one registry, one repository, so one scope. All jobs share the
/// header; `generation` counts its changes, so that a fetch refused with an old header takes the
/// new one instead of asking for another.
class Login {
public:
    Login(const rpc::Session& session, Url registry)
        : session_(session), registry_(std::move(registry)) {}

    /// The value of Authorization to send to the registry; empty when there is none yet.
    const std::string& header() const { return header_; }
    unsigned generation() const { return generation_; }

    /// What a 401 with these challenges asks for: nothing when a new header is ready at once
    /// (Basic), else the request for a token, whose answer goes to accept_token().
    /// Bearer is preferred; Basic is answered only over https or to loopback.
    /// Source: distribution-spec "Authentication"; docs of the token protocol (token.md, oauth.md).
    /// Errors: unauthorized when we have no credentials or they were refused already;
    /// registry_failed for a token address that is not https (or loopback, for plain http).
    Result<std::optional<HttpRequest>> answer(const std::vector<Challenge>& challenges);

    /// Errors: unauthorized, registry_failed.
    Result<> accept_token(int status, std::string_view body);

    /// "registry.example.com/library/x", for messages.
    std::string subject() const {
        return session_.repository.empty() ? session_.registry
                                           : session_.registry + "/" + session_.repository;
    }

private:
    Result<HttpRequest> token_request(const Challenge& challenge) const;
    std::vector<std::string> scopes(const std::string& asked_for) const;
    Result<> use_basic();

    rpc::Session session_;
    Url registry_;
    std::string header_;
    unsigned generation_ = 0;
};

}  // namespace knarr::registry
