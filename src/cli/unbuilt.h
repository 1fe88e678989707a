#pragma once
// Verbs that users of docker, podman, runc and crun look for and that knarr does not have yet.

#include <optional>
#include <string_view>

#include "knarr/error.h"

namespace knarr::cli {

/// An error with code unsupported that names the nearest thing that is built, when `name` is such
/// a verb; nothing when it is a word that nobody knows.
std::optional<Error> unbuilt_verb(std::string_view name);

}  // namespace knarr::cli
