#pragma once
// Addresses of registries: taken apart, judged, put together.

#include <cstdint>
#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::registry {

/// An http or https address that cannot exist unchecked.
struct Url {
    std::string scheme;  ///< "https" or "http"
    std::string host;    ///< lower case; IPv6 with its brackets
    unsigned port = 0;   ///< the scheme's own where none was written
    std::string rest;    ///< path and query, starts with '/'

    std::string text() const;
    /// The place that credentials belong to: scheme, host and port are the same.
    bool same_origin(const Url& other) const {
        return scheme == other.scheme && host == other.host && port == other.port;
    }
};

/// Errors: registry_failed for other schemes, user names in the address, bad hosts or ports,
/// blanks and control characters. A fragment is dropped.
Result<Url> parse_url(std::string_view text);

/// Whether the operator allows a registry without encryption beyond this host.
enum class Plain : std::uint8_t { loopback_only, anywhere };

/// Where a registry that was named host[:port] answers.
/// Errors: invalid_argument for `plain_http` with a host that is not loopback, unless allowed.
Result<Url> registry_url(std::string_view registry,
                         bool plain_http,
                         Plain plain = Plain::loopback_only);

/// The address of what a redirect's Location, absolute or relative, means at `from`.
/// Errors: registry_failed, also for a way down from https to http, and for plain http to a host
/// that is neither loopback nor the one that it was spoken with already.
Result<Url> follow(const Url& from, std::string_view location);

/// Everything but unreserved characters as %XX. Source: RFC 3986 section 2.3.
std::string percent_encode(std::string_view text);

/// The address of the next page that a Link field gives; empty when there is none.
/// Source: RFC 8288; distribution-spec v1.1 "Listing Tags".
std::string next_link(std::string_view field);

}  // namespace knarr::registry
