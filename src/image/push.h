#pragma once
// A stored image on its way into a registry, byte for byte as it was pulled or loaded.

#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Blobs that the registry lacks, then the manifests, the one with the name last: nobody sees a
/// part of an image under its name. An index goes whole when all its variants are stored, else the
/// stored variant's manifest alone, with a notice.
/// Errors: image_not_found, also for blobs that are not stored; invalid_argument for an image
/// without a name and no destination; digest_mismatch; those of the registry, with what was pushed.
Result<PushedImage> push_image(const store::Store& store,
                               const store::Lease& lease,
                               const PushRequest& request,
                               const PullProgressFn& progress);

}  // namespace knarr::image
