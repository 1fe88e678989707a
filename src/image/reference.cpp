#include "image/reference.h"

#include <algorithm>

#include "core/core.h"

namespace knarr::image {
namespace {

constexpr std::size_t kMaxNameBytes = 255, kMaxTagBytes = 128;

bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z');
}

/// [a-z0-9]+ joined by one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view text) {
    std::size_t at = 0;
    auto word = [&] {
        const std::size_t start = at;
        while (at < text.size() && (is_lower(text[at]) || is_digit(text[at]))) {
            ++at;
        }
        return at > start;
    };
    if (!word()) {
        return false;
    }
    while (at < text.size()) {
        if (text[at] == '.') {
            ++at;
        } else if (text[at] == '_') {
            at += at + 1 < text.size() && text[at + 1] == '_' ? 2 : 1;
        } else {
            const std::size_t start = at;
            while (at < text.size() && text[at] == '-') {
                ++at;
            }
            if (at == start) {
                return false;
            }
        }
        if (!word()) {
            return false;
        }
    }
    return true;
}

bool is_host_label(std::string_view text) {
    return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
           std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '-'; });
}

/// Host names, IPv4 addresses and "[IPv6]", each with an optional port.
bool is_domain(std::string_view text) {
    std::string_view host = text, port;
    bool has_port = false;
    const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
    if (bracket == std::string_view::npos) {
        return false;
    }
    if (const std::size_t colon = text.find(':', bracket); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }
    if (has_port) {
        const auto number = parse_number(port, 65535);
        if (!number || *number == 0) {
            return false;
        }
    }
    if (host.starts_with('[')) {
        return host.size() > 3 && host.ends_with(']') &&
               std::ranges::all_of(host.substr(1, host.size() - 2), [](char c) {
                   return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
                          c == ':';
               });
    }
    return std::ranges::all_of(split(host, '.'), is_host_label);
}

bool is_tag(std::string_view text) {
    return !text.empty() && text.size() <= kMaxTagBytes &&
           (is_alnum(text.front()) || text.front() == '_') && std::ranges::all_of(text, [](char c) {
               return is_alnum(c) || c == '_' || c == '.' || c == '-';
           });
}

bool is_hex64(std::string_view text) {
    return text.size() == 64 &&
           std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

Error bad(std::string_view text, std::string_view why) {
    return Error{.code = Errc::invalid_argument,
                 .message = fmt::format("image reference \"{}\": {}", printable(text), why),
                 .hint = "write [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST], as in debian:12"};
}

}  // namespace

bool names_a_registry(std::string_view first) {
    return first == "localhost" || first.find_first_of(".:") != std::string_view::npos ||
           std::ranges::any_of(first, [](char c) { return c >= 'A' && c <= 'Z'; });
}

Result<Reference> Reference::parse(std::string_view text) {
    if (text.size() > limits::kMaxReferenceBytes) {
        return fail(Errc::limit_exceeded,
                    "image reference of {} bytes: at most {} are allowed",
                    text.size(),
                    limits::kMaxReferenceBytes);
    }
    if (text.empty()) {
        return fail(bad(text, "it is empty"));
    }
    if (spec::Digest::parse(text)) {  // else an image named so would stand before the one meant
        return fail(bad(text, "a digest alone is an ID, not a name in a registry"));
    }
    Reference result;
    std::string_view rest = text;
    if (const std::size_t at = rest.find('@'); at != std::string_view::npos) {
        auto digest = spec::Digest::parse(rest.substr(at + 1));
        if (!digest) {
            return fail(bad(text, "after @ must come sha256: and 64 lower-case hex digits"));
        }
        result.digest_ = *std::move(digest);
        rest = rest.substr(0, at);
    }
    // A colon after the last slash starts the tag; one before it is a port.
    const std::size_t slash = rest.rfind('/');
    const std::size_t colon = rest.rfind(':');
    if (colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
        result.tag_ = rest.substr(colon + 1);
        if (!is_tag(result.tag_)) {
            return fail(bad(text,
                            "a tag has 1 to 128 letters, digits, '_', '.' and '-', and starts "
                            "with none of the last two"));
        }
        rest = rest.substr(0, colon);
    } else if (!result.digest_) {
        result.tag_ = kDefaultTag;
    }
    if (is_hex64(rest)) {
        return fail(bad(text, "64 hex digits are an ID, not a name in a registry"));
    }
    const std::size_t first = rest.find('/');
    if (first != std::string_view::npos && names_a_registry(rest.substr(0, first))) {
        result.domain_ = rest.substr(0, first);
        rest = rest.substr(first + 1);
    } else {
        result.domain_ = kDefaultDomain;
    }
    if (!is_domain(result.domain_)) {
        return fail(bad(text, fmt::format("\"{}\" is no host[:port]", printable(result.domain_))));
    }
    if (result.domain_ == "index.docker.io") {
        result.domain_ = kDefaultDomain;
    }
    for (const std::string_view part : split(rest, '/')) {
        if (!is_path_component(part)) {
            return fail(bad(text,
                            fmt::format("\"{}\" is no part of a name: lower-case letters and "
                                        "digits, joined by '.', '_', '__' or '-'",
                                        printable(part))));
        }
    }
    result.repository_ = rest;
    if (result.domain_ == kDefaultDomain && rest.find('/') == std::string_view::npos) {
        result.repository_ = fmt::format("library/{}", rest);
    }
    if (result.name().size() > kMaxNameBytes) {
        return fail(bad(text, fmt::format("the name is longer than {} bytes", kMaxNameBytes)));
    }
    return result;
}

std::string Reference::host() const {
    return domain_ == kDefaultDomain ? std::string(kDefaultDomainHost) : domain_;
}

std::string Reference::text() const {
    std::string text = name();
    if (!tag_.empty()) {
        text += ":" + tag_;
    }
    if (digest_) {
        text += "@" + digest_->text();
    }
    return text;
}

// A short name must mean the same place when it is read again, so "docker.io/localhost/x" has none,
// and the folder "library" falls away before one last part that is not taken for an ID.
std::string Reference::familiar_name() const {
    if (domain_ != kDefaultDomain) {
        return name();
    }
    constexpr std::string_view kLibrary = "library/";
    if (repository_.starts_with(kLibrary)) {
        const std::string_view last = std::string_view(repository_).substr(kLibrary.size());
        const bool is_id = is_hex64(last) || spec::Digest::parse(fmt::format("{}:{}", last, tag_));
        return last.find('/') == std::string_view::npos && !is_id ? std::string(last) : repository_;
    }
    const std::string_view first = std::string_view(repository_).substr(0, repository_.find('/'));
    return names_a_registry(first) ? name() : repository_;
}

std::string Reference::familiar() const {
    return familiar_name() + text().substr(name().size());
}

std::string familiar_reference(std::string_view stored) {
    const auto reference = Reference::parse(stored);
    return reference ? reference->familiar() : std::string(stored);
}

}  // namespace knarr::image
