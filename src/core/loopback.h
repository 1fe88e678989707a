#pragma once

#include <string_view>

namespace knarr {

/// Whether a host of an address is this machine: 127.0.0.0/8, ::1 (also in brackets) and localhost.
bool is_loopback(std::string_view host);

}  // namespace knarr
