#include "registry/auth.h"

#include <algorithm>
#include <cstdint>

#include "core/core.h"
#include "spec/registry.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kClientId = "knarr";

const Challenge* find(const std::vector<Challenge>& challenges, std::string_view scheme) {
    const auto it = std::ranges::find(challenges, scheme, &Challenge::scheme);
    return it == challenges.end() ? nullptr : &*it;
}

std::string parameter(const Challenge& challenge, const std::string& name) {
    const auto it = challenge.parameters.find(name);
    return it == challenge.parameters.end() ? std::string() : it->second;
}

/// A token goes into a header line: anything but visible ASCII would make a second line of it.
bool is_header_safe(std::string_view token) {
    return !token.empty() &&
           std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
}

}  // namespace

std::string basic_authorization(std::string_view username, std::string_view password) {
    return "Basic " + spec::encode_base64(fmt::format("{}:{}", username, password));
}

Result<std::optional<HttpRequest>> Login::answer(const std::vector<Challenge>& challenges) {
    if (const Challenge* bearer = find(challenges, "bearer")) {
        return std::optional<HttpRequest>(KNARR_TRY(token_request(*bearer)));
    }
    if (find(challenges, "basic") != nullptr) {
        KNARR_TRY(use_basic());
        return std::optional<HttpRequest>();
    }
    return fail(Errc::unauthorized,
                "{}: refused, without a way to log in that we know",
                printable(subject()));
}

Result<> Login::use_basic() {
    if (session_.username.empty() && session_.password.empty()) {
        return fail(Errc::unauthorized, "{}: it wants a login", printable(subject()));
    }
    std::string header = basic_authorization(session_.username, session_.password);
    if (header == header_) {
        return fail(Errc::unauthorized,
                    "{}: it refused the login of {}",
                    printable(subject()),
                    printable(session_.username));
    }
    header_ = std::move(header);
    ++generation_;
    return {};
}

/// What the token is for: what this session said that it will do, else what the registry wants for
/// the request that it refused, else reading the repository; nothing where there is none.
std::vector<std::string> Login::scopes(const std::string& asked_for) const {
    std::vector<std::string> result;
    if (!session_.scope.empty()) {
        for (const std::string_view word : split(session_.scope, ' ')) {
            result.emplace_back(word);
        }
    } else if (!asked_for.empty()) {
        result.push_back(asked_for);
    } else if (!session_.repository.empty()) {
        result.push_back(fmt::format("repository:{}:pull", session_.repository));
    }
    return result;
}

Result<HttpRequest> Login::token_request(const Challenge& challenge) const {
    // `follow` judges the way from the registry to its token server as it judges redirects.
    HttpRequest request{
        .url = KNARR_TRY(follow(registry_, parameter(challenge, "realm")), "token server")};
    const std::string service = parameter(challenge, "service");
    std::string query;
    if (!service.empty()) {
        query += "service=" + percent_encode(service) + "&";
    }
    for (const std::string& scope : scopes(parameter(challenge, "scope"))) {
        query += "scope=" + percent_encode(scope) + "&";
    }
    if (query.ends_with('&')) {
        query.pop_back();
    }
    if (!session_.identity_token.empty()) {
        request.form = fmt::format("grant_type=refresh_token&client_id={}&refresh_token={}&{}",
                                   kClientId,
                                   percent_encode(session_.identity_token),
                                   query);
        return request;
    }
    if (!session_.username.empty()) {
        query += (query.empty() ? "account=" : "&account=") + percent_encode(session_.username);
        request.headers.push_back("Authorization: " +
                                  basic_authorization(session_.username, session_.password));
    }
    if (!query.empty()) {
        request.url.rest += (request.url.rest.find('?') == std::string::npos ? "?" : "&") + query;
    }
    return request;
}

Result<> Login::accept_token(int status, std::string_view body) {
    if (status == 401 || status == 403 || (status == 400 && !session_.identity_token.empty())) {
        return fail(Errc::unauthorized,
                    "{}: the token server refused {}",
                    printable(subject()),
                    session_.username.empty() && session_.identity_token.empty()
                        ? "anybody without a login"
                        : "the login of " + printable(session_.username));
    }
    if (status != 200) {
        return fail(Errc::registry_failed,
                    "{}: the token server answered {}",
                    printable(subject()),
                    status);
    }
    const auto token = spec::decode_token(body);
    if (!token || !is_header_safe(token->text)) {
        return fail(Errc::registry_failed,
                    "{}: the token server sent no token{}",
                    printable(subject()),
                    token ? std::string() : ": " + printable(token.error().message));
    }
    header_ = "Bearer " + token->text;
    ++generation_;
    return {};
}

}  // namespace knarr::registry
