#pragma once

#include <string_view>

#include "core/limits.h"
#include "knarr/result.h"

namespace knarr::engine {

/// The bounds of the policy of that name. Errors: invalid_argument.
Result<Limits> limits_of_policy(std::string_view name);

}  // namespace knarr::engine
