#pragma once
// Stored images into archives, and archives into the store.

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

/// Stores all images of an archive or layout. `path`: a file, a directory, or empty for standard
/// input. gzip and zstd around an archive are undone.
/// Errors: those of pull_from; invalid_image for what is no archive of images.
Result<std::vector<LoadedImage>> load_images(const store::Store& store,
                                             const std::string& path,
                                             const PullOptions& options,
                                             const Limits& limits,
                                             const PullProgressFn& progress);

}  // namespace knarr::image
