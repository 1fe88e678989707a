#pragma once
// The layers of an image as one EROFS image over the tars of all of them, so that a container needs
// one mount and not one for each layer. It lies with the highest layer, whose chain ID names all of
// them and their order:
//
//   layers/<hex of the highest>/{merged.erofs, merged/ (empty: where it shows)}
//
// It is worked out from the layers' own images, the same bytes each time, when it is first needed,
// and goes with the layer. Where it cannot be made (no room, a store that can only be read) layers
// are mounted one by one, as they are when there are files instead (driver dir).

#include <vector>

#include "layer/info.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::layer {

inline constexpr const char* kMergedFile = "merged.erofs";
inline constexpr const char* kMergedDir = "merged";

/// Whether one mount is to be had for these layers, and worth the memory and the disk that it takes
/// to make: nothing bounds them but this. `image_bytes`: of all their images.
bool are_mergeable(const std::vector<LayerInfo>& layers, std::uint64_t image_bytes);
/// What the images of the layers have in bytes; layers of files have none.
Result<std::uint64_t> image_bytes_of(const store::Store& store,
                                     const std::vector<spec::Digest>& chain);

/// Makes the merged image of `chain` (chain IDs, lowest first, all of the driver erofs). Another
/// process that does the same is waited for. Killed, it leaves nothing.
/// Errors: corrupt for a layer whose image is damaged; limit_exceeded; no_space, io.
Result<> make_merged(const store::Store& store, const std::vector<spec::Digest>& chain);

/// Whether what is stored is what would be made now; where nothing is stored, it is.
/// Errors: corrupt for a layer whose image is damaged.
Result<bool> is_merged_sound(const store::Store& store, const std::vector<spec::Digest>& chain);

/// What the merged image with this layer on top takes on the disk.
Result<std::uint64_t> merged_bytes(const store::Store& store, const spec::Digest& chain_id);

}  // namespace knarr::layer
