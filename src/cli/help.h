#pragma once

#include <string>

#include "cli/verb.h"

namespace knarr::cli {

/// `knarr --help`: what it is, the verbs, the global options.
std::string general_help();
/// `knarr VERB --help`. `path` is how the verb is reached: "image list".
std::string verb_help(const Verb& verb, std::string_view path);
/// The options that stand before the verb.
std::span<const Option> global_options();
/// The verb of that name or alias; null when there is none.
const Verb* find_verb(std::span<const Verb* const> verbs, std::string_view name);
/// "unknown verb" with the nearest one as hint, or "not built" for what other engines have.
/// `before` is what stands before it: "image".
Error unknown_verb(std::span<const Verb* const> verbs,
                   std::string_view name,
                   std::string_view before = {});

}  // namespace knarr::cli
