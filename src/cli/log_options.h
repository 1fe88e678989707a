#pragma once

#include "cli/options.h"
#include "knarr/result.h"
#include "knarr/run.h"

namespace knarr::cli {

/// --log-driver and --log-opt. Errors: unsupported for drivers that are not built;
/// invalid_argument.
Result<LogPolicy> parse_log(const Parsed& args);

}  // namespace knarr::cli
