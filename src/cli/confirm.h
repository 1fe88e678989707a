#pragma once

#include <string_view>

#include "cli/options.h"
#include "knarr/result.h"

namespace knarr::cli {

/// docker's question before a prune removes `what`, unless --force is among `args`. Anything but
/// yes is no, the end of the input too, and is told.
Result<bool> confirmed(const Parsed& args, std::string_view what);

}  // namespace knarr::cli
