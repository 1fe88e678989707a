#pragma once
// The names that linux.seccomp may use, from the tables of seccomp_policy.cpp.

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace knarr::bundle {

struct SeccompNames {
    std::vector<std::string_view> actions, operators, architectures;
    std::vector<std::pair<std::string_view, std::uint32_t>> flags;  // SECCOMP_FILTER_FLAG_*
};
SeccompNames seccomp_names();

}  // namespace knarr::bundle
