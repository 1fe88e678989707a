#include "registry/refusal.h"

#include "core/core.h"
#include "core/text.h"
#include "registry/retry.h"
#include "spec/registry.h"

namespace knarr::registry {
namespace {

/// What an error answer says, for people: "DENIED: requested access is denied"; may be empty.
std::string error_text(std::string_view body) {
    constexpr std::size_t kMaxErrorsShown = 3;
    std::string text;
    std::size_t shown = 0;
    for (const spec::RegistryError& error : spec::decode_registry_errors(body)) {
        if (shown++ == kMaxErrorsShown) {
            break;
        }
        text += (text.empty() ? "" : "; ") + error.code;
        text += error.code.empty() || error.message.empty() ? error.message : ": " + error.message;
    }
    return text;
}

std::string for_people(std::chrono::seconds time) {
    if (time >= std::chrono::hours(2)) {
        return fmt::format("{} hours", time.count() / 3600);
    }
    return time >= std::chrono::minutes(2) ? fmt::format("{} minutes", time.count() / 60)
                                           : fmt::format("{} s", time.count());
}

/// Source: docs.docker.com "Pull usage and limits": "ratelimit-limit: 100;w=21600".
std::string rate_text(const HttpHead& head, const std::string& why) {
    const std::string_view field = head.field("ratelimit-limit");
    const auto limit = parse_number(field.substr(0, field.find(';')));
    const std::size_t at = field.find(";w=");
    const auto window = at == std::string_view::npos
                            ? std::nullopt
                            : parse_number(field.substr(at + 3), 365UL * 24 * 3600);
    std::string text = "too many requests: " + why;
    if (limit && window) {
        text +=
            fmt::format("; it allows {} in {}", *limit, for_people(std::chrono::seconds(*window)));
    }
    return text;
}

Refusal rate_limited(const HttpHead& head,
                     const std::string& why,
                     const Asked& asked,
                     std::optional<std::chrono::seconds> after) {
    const std::string wait =
        after ? fmt::format("the registry asks to wait {} s", after->count()) : std::string();
    const std::string login = asked.logged_in ? "" : "log in for a higher limit: knarr login";
    return {.code = Errc::rate_limited,
            .text = rate_text(head, why),
            .hint = wait.empty()    ? login
                    : login.empty() ? wait
                                    : wait + "; or " + login,
            .may_pass = !after || *after <= kMaxRetryAfter,
            .reason = "the registry limits our rate",
            .wait = after};
}

}  // namespace

Refusal refusal_of(const HttpHead& head,
                   std::string_view body,
                   const Asked& asked,
                   Clock::Wall now) {
    const int status = head.status;
    const std::string said = error_text(body);
    const std::string why = fmt::format("{} answered {}{}{}",
                                        printable(asked.host),
                                        status,
                                        said.empty() ? "" : ": ",
                                        printable(said, kMaxErrorTextBytes));
    const auto after = parse_retry_after(head.field("retry-after"), now);
    switch (status) {
        case 404:
            return {.code = Errc::image_not_found, .text = why};
        case 401:
        case 403:
            return {.code = Errc::unauthorized, .text = why};
        case 405:
            return {.code = Errc::unsupported, .text = why};
        case 429:
            return rate_limited(head, why, asked, after);
        default:
            break;
    }
    if (status == 408 || status >= 500) {
        return {.text = why, .may_pass = true, .reason = why, .wait = after};
    }
    return {.text = why};
}

}  // namespace knarr::registry
