#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::cli {

/// "80", "80/udp" or "8000-8010" as "80/tcp", ...: docker's way to write ports, tcp unless another
/// protocol is named. Errors: invalid_argument naming `what`; limit_exceeded past 4096 of them.
Result<std::vector<std::string>> parse_ports(std::string_view text, std::string_view what);

}  // namespace knarr::cli
