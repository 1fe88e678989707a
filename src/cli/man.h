#pragma once
// Manual pages, made from the same tables as the help.

#include <string>
#include <string_view>

#include "cli/verb.h"

namespace knarr::cli {

/// knarr(1) in roff.
std::string general_man();
/// knarr-VERB(1); `path` is "run", "image list".
std::string verb_man(const Verb& verb, std::string_view path);

}  // namespace knarr::cli
