#pragma once
// Archives into the store.

#include <string>
#include <vector>

#include "core/limits.h"
#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Stores all images of an archive or layout. `path`: a file, a directory, or empty for standard
/// input. gzip and zstd around an archive are undone.
/// Errors: those of pull_from; invalid_image for what is no archive of images.
Result<std::vector<LoadedImage>> load_images(const store::Store& store,
                                             const std::string& path,
                                             const PullOptions& options,
                                             const Limits& limits,
                                             const PullProgressFn& progress);

}  // namespace knarr::image
