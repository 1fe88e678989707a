#pragma once
// What the record of a container keeps of the request and of the image that it is made from.

#include "engine/prepare_image.h"
#include "engine/record.h"

namespace knarr::engine {

/// What the container's record keeps of the request, for `stop` and the monitor.
/// Errors: invalid_argument, of the request; invalid_image for the image's StopSignal.
Result<Life> life_of(const RunRequest& request, const Prepared& prepared);

}  // namespace knarr::engine
