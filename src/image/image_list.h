#pragma once
// Stored images: listed, described.

#include <string>
#include <string_view>
#include <vector>

#include "image/find.h"
#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Every stored image once, with all its references; sorted by the first of them. An image that
/// cannot be decoded is listed by its reference alone.
Result<std::vector<ImageSummary>> list_images(const store::Store& store);

/// One image as `docker image inspect` shows it: one JSON object.
Result<std::string> inspect_image(const store::Store& store, std::string_view text);

}  // namespace knarr::image
