#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace knarr::runtime::native {

inline constexpr std::uint64_t kMaxCpus = 8192;  // the kernel's NR_CPUS

/// A list as cpuset files have it, "0-3,7", as bits: N is bit N % 64 of word N / 64. Blanks
/// around a number do not count. Nothing when it is not a list of numbers below `bound`; an empty
/// text is an empty set.
std::optional<std::vector<std::uint64_t>> parse_number_set(std::string_view list,
                                                           std::uint64_t bound);

}  // namespace knarr::runtime::native
