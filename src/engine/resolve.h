#pragma once

#include <string_view>

#include "engine/context.h"
#include "knarr/types.h"

namespace knarr::engine {

/// The shortest beginning of an ID that stands for it.
inline constexpr std::size_t kMinPrefix = 2;

/// A name without the slash that docker writes before it, as `inspect` shows it.
constexpr std::string_view without_slash(std::string_view name) {
    return name.size() > 1 && name.starts_with('/') ? name.substr(1) : name;
}

/// The container that a caller means: its ID, the name it was given, also with a slash before it,
/// at least kMinPrefix characters of its ID when they fit one container only, or its last twelve
/// digits, which are its host name. Names and prefixes are looked for only
/// where no container has that very ID, and prefixes only among containers made from images, whose
/// IDs nobody chose: `delete --force web` must never find "web-2". Text that fits none is handed
/// back as an ID.
/// Errors: invalid_argument when it is no ID, or fits several.
Result<ContainerId> resolve_id(const Context& context, std::string_view text);

}  // namespace knarr::engine
