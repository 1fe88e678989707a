#pragma once
// A container's root over stored layers: the directories of an overlay, nothing mounted.

#include <string>
#include <vector>

#include "bundle/rootfs.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::layer {

enum class RootAccess { read_write, read_only };

/// Makes upper, work and merged in `container_dir` (an absolute path that exists) for the layers of
/// `chain` (chain IDs, lowest first). The upper directory gets owner, mode and xattrs of the
/// highest layer's root, because an overlay shows those of its upper. read_only: only merged is
/// made. Errors: image_not_found for a layer that is not unpacked; limit_exceeded past kMaxLayers.
Result<bundle::OverlayRoot> make_root(const store::Store& store,
                                      const std::vector<spec::Digest>& chain,
                                      const std::string& container_dir,
                                      RootAccess access);
/// The same over lower_paths() that are known. Errors: invalid_image when there are none.
Result<bundle::OverlayRoot> make_root(const std::vector<std::string>& lowers,
                                      const std::string& container_dir,
                                      RootAccess access);

}  // namespace knarr::layer
