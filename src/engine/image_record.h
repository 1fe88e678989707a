#pragma once
// What the record of a container keeps of the request and of the image that it is made from.

#include "engine/new_container.h"
#include "engine/prepare_image.h"

namespace knarr::engine {

/// The container of an image as new_container.h makes it, with what its record keeps of the request
/// for `stop` and the monitor. Who launches it adds what makes its data directory.
/// Errors: invalid_argument, of the request; invalid_image for the image's StopSignal.
Result<NewContainer> new_container_of(const Prepared& prepared, const RunRequest& request);

}  // namespace knarr::engine
