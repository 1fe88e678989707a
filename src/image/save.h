#pragma once
// Stored images into archives.

#include <string>
#include <vector>

#include "core/limits.h"
#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Writes images as docker, podman and skopeo read them. A docker archive is an OCI layout as well,
/// as docker has it since version 25. Each blob is checked while it is copied.
/// Errors: image_not_found, also for an image that is not stored whole; corrupt; already_exists.
Result<> save_images(const store::Store& store, const SaveRequest& request);

}  // namespace knarr::image
