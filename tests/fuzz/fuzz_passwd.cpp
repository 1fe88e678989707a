// Three texts with zero bytes between them: a user, an image's /etc/passwd and /etc/group.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "bundle/passwd.h"
#include "core/text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto parts = knarr::split({reinterpret_cast<const char*>(data), size}, '\0');
    const auto part = [&](std::size_t i) { return i < parts.size() ? parts[i] : ""; };
    const auto user = knarr::bundle::resolve_user(part(0), part(1), part(2));
    if (!user) {
        return 0;
    }
    // 4294967295 is "no change" for the kernel: it would keep the runtime's own user.
    const bool good = user->uid != UINT32_MAX && user->gid != UINT32_MAX &&
                      user->groups.size() <= knarr::bundle::kMaxGroups &&
                      std::ranges::is_sorted(user->groups) &&
                      std::ranges::find(user->groups, UINT32_MAX) == user->groups.end() &&
                      user->home.find('\0') == std::string::npos;
    if (!good) {
        std::abort();
    }
    // Who says a number gets that number (CVE-2016-3697).
    const auto number = knarr::parse_number(part(0), UINT32_MAX - 1);
    if (number && user->uid != *number) {
        std::abort();
    }
    return 0;
}
