#include "core/loopback.h"

#include <algorithm>

#include "core/text.h"

namespace knarr {

bool is_loopback(std::string_view host) {
    if (host == "localhost" || host == "[::1]" || host == "::1") {
        return true;
    }
    const auto parts = split(host, '.');
    return parts.size() == 4 && parts[0] == "127" &&
           std::ranges::all_of(
               parts, [](std::string_view part) { return parse_number(part, 255).has_value(); });
}

}  // namespace knarr
