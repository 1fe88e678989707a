#pragma once

#include <cstddef>
#include <string_view>

#include "knarr/result.h"

namespace knarr::bundle {

/// What the kernel takes as a host's own name, and as its domain's. Source: uname(2).
inline constexpr std::size_t kMaxOwnNameBytes = 64;
/// What the domain name system has. Source: RFC 1035 section 2.3.4, as text.
inline constexpr std::size_t kMaxDnsNameBytes = 253;

/// Whether a host or domain can have this name: ASCII letters, digits, '-', '_', and '.' between
/// them, at most `max_bytes`. It becomes a word of /etc/hosts and of shell prompts.
/// Errors: invalid_argument, naming `what`.
Result<> check_host_name(std::string_view name, std::size_t max_bytes, std::string_view what);

}  // namespace knarr::bundle
