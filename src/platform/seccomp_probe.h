#pragma once

#include <cstdint>

namespace knarr::sys {

/// Whether this kernel knows SECCOMP_FILTER_FLAG_* `flag`; nothing is installed.
/// Source: seccomp(2): with a null program EFAULT tells a known flag, EINVAL an unknown one.
bool kernel_takes_seccomp_flag(std::uint32_t flag);

}  // namespace knarr::sys
