#pragma once
// What happens to images with an eye on the containers that stand on them. All else about images is
// the image room's.

#include <string>
#include <string_view>

#include "core/limits.h"
#include "engine/context.h"
#include "image/import.h"
#include "knarr/image.h"
#include "knarr/result.h"

namespace knarr::engine {

/// Removes a reference of an image, and with the last one the image; see Engine::remove_image.
/// Errors: image_not_found; image_in_use, naming the container or the mount.
Result<RemovedImage> remove_image(const Context& context,
                                  const std::string& data_root,
                                  std::string_view text,
                                  RemoveMode mode);

/// Stores a root file system as an image of one layer (image/import.h). Its ID.
Result<std::string> import_image(const std::string& data_root,
                                 const image::ImportRequest& request,
                                 const Limits& limits,
                                 const PullProgressFn& progress);

/// Removes what no image, container, mount or running pull needs.
Result<RemovedGarbage> collect_garbage(const std::string& data_root);
Result<PrunedImages> prune_images(const std::string& data_root, const PruneRequest& request);
Result<StoreUsage> image_usage(const std::string& data_root);

}  // namespace knarr::engine
