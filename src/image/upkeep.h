#pragma once
// The store's upkeep: what takes how much room, what may go, what is damaged.

#include <string>
#include <vector>

#include "image/remove.h"
#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Removes the images that `request` means and that no container uses, and all garbage.
Result<PrunedImages> prune_images(const store::Store& store,
                                  const PruneRequest& request,
                                  const ImageUse& use);

/// Reads the blobs of the named images, or all blobs, and compares each with its name; and what is
/// merged of their layers with what these make. A blob that an image needs and that is not there is
/// found, too. What other processes remove meanwhile is passed over. Errors: image_not_found for a
/// name.
Result<VerifyReport> verify_images(const store::Store& store,
                                   const std::vector<std::string>& names,
                                   DamagePolicy policy);

/// Errors: those of Store::list_refs.
Result<StoreUsage> image_usage(const store::Store& store, const ImageUse& use);

}  // namespace knarr::image
