#pragma once

#include <string_view>

#include "knarr/result.h"

namespace knarr::bundle {

/// Whether a host or domain can have this name: ASCII letters, digits, '-', '_', and '.' between
/// them, at most the kernel's 64 bytes. It becomes a word of /etc/hosts and of shell prompts.
/// Errors: invalid_argument, naming `what`.
Result<> check_host_name(std::string_view name, std::string_view what);

}  // namespace knarr::bundle
