#pragma once

#include <optional>
#include <string_view>

namespace knarr::runtime::native {

/// The number of "CAP_CHOWN". Source: include/uapi/linux/capability.h.
std::optional<int> capability_number(std::string_view name);
/// The name of a number from 0 to 63; "an unknown capability" above the last.
std::string_view capability_name(int number);

}  // namespace knarr::runtime::native
