#include "registry/auth.h"

#include <algorithm>
#include <cstdint>

#include "core/core.h"
#include "spec/registry.h"

namespace knarr::registry {
namespace {

constexpr std::string_view kClientId = "knarr";

std::string base64(std::string_view bytes) {
    static constexpr std::string_view kAlphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::string_view group = bytes.substr(i, 3);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits = bits << 8 | (k < group.size() ? static_cast<unsigned char>(group[k]) : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            result.push_back(k <= group.size() ? kAlphabet[bits >> (18 - 6 * k) & 63] : '=');
        }
    }
    return result;
}

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
    return "Basic " + base64(fmt::format("{}:{}", username, password));
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

Result<HttpRequest> Login::token_request(const Challenge& challenge) const {
    // `follow` judges the way from the registry to its token server as it judges redirects.
    HttpRequest request{
        .url = KNARR_TRY(follow(registry_, parameter(challenge, "realm")), "token server")};
    std::string scope = parameter(challenge, "scope");
    if (scope.empty()) {
        scope = fmt::format("repository:{}:pull", session_.repository);
    }
    const std::string service = parameter(challenge, "service");
    std::string query;
    if (!service.empty()) {
        query += "service=" + percent_encode(service) + "&";
    }
    query += "scope=" + percent_encode(scope);
    if (!session_.identity_token.empty()) {
        request.form = fmt::format("grant_type=refresh_token&client_id={}&refresh_token={}&{}",
                                   kClientId,
                                   percent_encode(session_.identity_token),
                                   query);
        return request;
    }
    if (!session_.username.empty()) {
        query += "&account=" + percent_encode(session_.username);
        request.headers.push_back("Authorization: " +
                                  basic_authorization(session_.username, session_.password));
    }
    request.url.rest += (request.url.rest.find('?') == std::string::npos ? "?" : "&") + query;
    return request;
}

Result<> Login::accept_token(int status, std::string_view body) {
    if (status == 401 || status == 403 || (status == 400 && !session_.identity_token.empty())) {
        return fail(Errc::unauthorized,
                    "{}: the token server refused {}",
                    printable(subject()),
                    session_.username.empty() && session_.identity_token.empty()
                        ? "an anonymous pull"
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
