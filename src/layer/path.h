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

/// Whether `path` is `ancestor` or lies in it; everything lies in "".
bool is_within(std::string_view path, std::string_view ancestor);

}  // namespace knarr::layer
