#pragma once
// Names of stored images: given, taken away; and how an image came to be.

#include <string>
#include <string_view>
#include <vector>

#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Gives an image a further name; one that another image has moves. The canonical name.
/// Errors: image_not_found; invalid_argument for a new name that is none, or has a digest.
Result<std::string> tag_image(const store::Store& store,
                              std::string_view text,
                              std::string_view new_name);

/// Takes names away, all when `names` is empty. An image without a name is kept by its digest.
/// Errors: image_not_found; invalid_argument for a name that is not the image's.
Result<std::vector<std::string>> untag_image(const store::Store& store,
                                             std::string_view text,
                                             const std::vector<std::string>& names);

/// The steps of its making, the newest first, as far as its configuration tells.
Result<std::vector<HistoryStep>> image_history(const store::Store& store, std::string_view text);

}  // namespace knarr::image
