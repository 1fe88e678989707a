#pragma once

#include <string_view>

#include "knarr/result.h"

namespace knarr::cli {

/// docker's question before much is removed. Anything but yes is no, the end of the input too.
Result<bool> confirmed(std::string_view what);

}  // namespace knarr::cli
