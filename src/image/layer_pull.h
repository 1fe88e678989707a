#pragma once
// The layers of one image: fetched side by side, unpacked from the lowest up, in one loop.

#include <vector>

#include "core/limits.h"
#include "image/source.h"
#include "knarr/image.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::image {

/// What to bring in; the three lists have the same length, lowest layer first. Without diff IDs and
/// chain the layers are no tars (spec/wasm.h): their blobs are stored, and that is all.
struct LayerPull {
    Source& source;
    const store::Store& store;
    const PullOptions& options;
    const Limits& limits;
    const PullProgressFn& progress;
    const std::vector<spec::Descriptor>& layers;
    const std::vector<spec::Digest>& diff_ids;
    const std::vector<spec::Digest>& chain;
};

/// Whether modules, which are kept as they come, are within the bounds of layers: each, and all
/// together. A blob that is there twice counts once. Errors: limit_exceeded.
Result<> check_modules(const std::vector<spec::Descriptor>& modules, const Limits& limits);

/// Memory does not grow with the layers: one buffer, and what the pipes hold.
/// Errors: those of the source; digest_mismatch; invalid_image; no_space; interrupted.
Result<> pull_layers(const LayerPull& pull);

}  // namespace knarr::image
