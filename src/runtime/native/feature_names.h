#pragma once
// The names that config.json may use with this runtime, from the very tables that the plan reads.

#include <string_view>
#include <vector>

namespace knarr::runtime::native {

/// Every mount option that is not left to the file system. Sorted.
std::vector<std::string_view> mount_option_names();
/// linux.memoryPolicy. (attributes.cpp)
std::vector<std::string_view> memory_policy_modes();
std::vector<std::string_view> memory_policy_flags();
/// linux.namespaces. (namespaces.cpp)
std::vector<std::string_view> namespace_names();

}  // namespace knarr::runtime::native
