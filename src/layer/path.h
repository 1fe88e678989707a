#pragma once

#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::layer {

/// A path of a tar as this room uses it: components joined by "/", without "." and empty ones; ""
/// is the root. Absolute paths and ".." are refused, not cleaned: no honest tool writes them.
/// Errors: invalid_image; limit_exceeded past kMaxPathBytes or a component past 255 bytes.
Result<std::string> normal_path(std::string_view raw);

/// "a/b/c" -> {"a/b", "c"}.
struct SplitPath {
    std::string_view parent, name;
};
SplitPath split_last(std::string_view path);

/// "a", "b" -> "a/b"; "", "b" -> "b".
std::string join(std::string_view parent, std::string_view name);

/// Takes `path`, not the root, and what lies in it out of a sorted set or map, however large that
/// is.
template <typename Sorted, typename NameOf>
void erase_within(Sorted& all, const std::string& path, NameOf name_of) {
    all.erase(path);
    const std::string below = path + "/";  // these stand together
    auto at = all.lower_bound(below);
    while (at != all.end() && name_of(*at).starts_with(below)) {
        at = all.erase(at);
    }
}

}  // namespace knarr::layer
