#include "registry/url.h"

#include <algorithm>

#include "core/ascii.h"
#include "core/loopback.h"
#include "core/text.h"

namespace knarr::registry {
namespace {

bool is_host(std::string_view host) {
    if (host.starts_with('[')) {
        return host.size() > 3 && host.ends_with(']') &&
               host.find_first_not_of("0123456789abcdef:.", 1) == host.size() - 1;
    }
    return !host.empty() && std::ranges::all_of(host, [](char c) {
        return is_alnum(c) || c == '.' || c == '-' || c == '_';
    });
}

unsigned default_port(std::string_view scheme) {
    return scheme == "https" ? 443 : 80;
}

std::unexpected<Error> bad_url(std::string_view text, std::string_view why) {
    return fail(Errc::registry_failed, "address \"{}\": {}", printable(text), why);
}

}  // namespace

std::string Url::text() const {
    const std::string place = scheme + "://" + host;
    return port == default_port(scheme) ? place + rest : fmt::format("{}:{}{}", place, port, rest);
}

Result<Url> parse_url(std::string_view text) {
    Url url;
    const std::size_t colon = text.find("://");
    url.scheme = to_lower(std::string(text.substr(0, colon == std::string_view::npos ? 0 : colon)));
    if (url.scheme != "https" && url.scheme != "http") {
        return bad_url(text, "only https and http are spoken");
    }
    std::string_view after = text.substr(colon + 3);
    after = after.substr(0, after.find('#'));
    const std::size_t end = std::min(after.find_first_of("/?"), after.size());
    std::string_view authority = after.substr(0, end);
    std::string_view rest = after.substr(end);
    if (std::ranges::any_of(rest, [](char c) { return c <= ' ' || c == 0x7f; })) {
        return bad_url(text, "it has a blank or a control character");
    }
    if (authority.find('@') != std::string_view::npos) {
        return bad_url(text, "it must not carry a user name");
    }
    const std::size_t bracket = authority.starts_with('[') ? authority.find(']') : 0;
    const std::size_t port_at =
        bracket == std::string_view::npos ? bracket : authority.find(':', bracket);
    url.host = to_lower(std::string(authority.substr(0, port_at)));
    if (!is_host(url.host)) {
        return bad_url(text, "it has no valid host");
    }
    url.port = default_port(url.scheme);
    if (port_at != std::string_view::npos) {
        const auto port = parse_number(authority.substr(port_at + 1), 65535);
        if (!port || *port == 0) {
            return bad_url(text, "it has no valid port");
        }
        url.port = static_cast<unsigned>(*port);
    }
    url.rest = (rest.starts_with('/') ? "" : "/") + std::string(rest);
    return url;
}

Result<Url> registry_url(std::string_view registry, bool plain_http, Plain plain) {
    Url url = KNARR_TRY(parse_url(fmt::format("{}://{}/", plain_http ? "http" : "https", registry)),
                        "registry {}",
                        printable(registry));
    if (plain_http && plain == Plain::loopback_only && !is_loopback(url.host)) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("plain http to {}: it is not a loopback host",
                                                 printable(registry)),
                          .hint = "use https, with --tls-ca FILE for a private certificate, or "
                                  "set insecure = true for it in registries.conf"});
    }
    return url;
}

Result<Url> follow(const Url& from, std::string_view location) {
    Url to = from;
    if (location.find("://") != std::string_view::npos && !location.starts_with('/')) {
        to = KNARR_TRY(parse_url(location), "redirect from {}", from.host);
    } else if (location.starts_with("//")) {
        to = KNARR_TRY(
            parse_url(from.scheme + ":" + std::string(location)), "redirect from {}", from.host);
    } else {
        const std::string_view path =
            std::string_view(from.rest).substr(0, from.rest.find_first_of('?'));
        const std::string base(path.substr(0, path.rfind('/') + 1));
        Url whole = from;
        whole.rest =
            location.starts_with('/') ? std::string(location) : base + std::string(location);
        to = KNARR_TRY(parse_url(whole.text()), "redirect from {}", from.host);
    }
    const bool known = to.host == from.host || (is_loopback(to.host) && is_loopback(from.host));
    if (to.scheme == "http" && (from.scheme == "https" || !known)) {
        return fail(Errc::registry_failed,
                    "redirect from {} to plain http at {}: refused",
                    from.host,
                    printable(to.host));
    }
    return to;
}

std::string percent_encode(std::string_view text) {
    std::string result;
    for (const char c : text) {
        if (is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            result.push_back(c);
        } else {
            result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
        }
    }
    return result;
}

std::string next_link(std::string_view field) {
    // <address>; rel="next", more links after commas; an address may hold commas itself.
    while (true) {
        const std::size_t open = field.find('<'), close = field.find('>', open);
        if (open == std::string_view::npos || close == std::string_view::npos) {
            return {};
        }
        const std::string_view address = field.substr(open + 1, close - open - 1);
        field = field.substr(close + 1);
        const std::string_view parameters = field.substr(0, field.find('<'));
        if (parameters.find("rel=\"next\"") != std::string_view::npos ||
            parameters.find("rel=next") != std::string_view::npos) {
            return std::string(address);
        }
    }
}

}  // namespace knarr::registry
