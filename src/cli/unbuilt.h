#pragma once
// Verbs that users of docker, podman, runc and crun look for and that knarr does not have.

#include <optional>
#include <string_view>

#include "knarr/error.h"

namespace knarr::cli {

/// A verb that is not there: `path` as it is typed ("plugin install"), or its last word, wherever
/// it stands.
struct UnbuiltVerb {
    std::string_view path;
    std::string_view why = {};      // empty: it may come
    std::string_view instead = {};  // what does the job today; empty: nothing does
};

/// An error with code unsupported that names the nearest thing that is built, when `path` is such
/// a verb; nothing when it is a word that nobody knows.
std::optional<Error> unbuilt_verb(std::string_view path);

}  // namespace knarr::cli
