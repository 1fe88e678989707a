#pragma once

#include <string>
#include <string_view>

namespace knarr::cli {

/// The commit that this program was built from; "unknown" outside a git checkout.
std::string_view build_commit();
/// As runc prints it: "knarr version X", "commit: Y", "spec: Z".
std::string version_text();

inline constexpr std::string_view kRuntimeSpec = "1.3.0";
inline constexpr std::string_view kImageSpec = "1.1.1";

}  // namespace knarr::cli
