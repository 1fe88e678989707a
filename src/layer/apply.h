#pragma once
// The rules by which the entries of one layer's tar become files for overlayfs, whatever keeps them
// (own_tree.h).
//
// Whiteouts become character devices 0:0, opaque markers are reported (setting trusted.* needs a
// power that this code shall not have) and hide only what lower layers have, wherever in the tar
// they stand. Of two entries with one path the later one stays. Nothing is made through a link.

#include <cstdint>
#include <string>
#include <vector>

#include "core/limits.h"
#include "layer/own_tree.h"
#include "layer/view.h"

namespace knarr::layer {

struct ApplyRequest {
    std::vector<LowerLayer> lowers;  ///< highest first
    Limits limits = {};
    std::uint64_t lower_bytes = 0;  ///< content of the layers below, counted in max_rootfs_bytes
};

struct Applied {
    std::uint64_t bytes = 0;    ///< of file content on disk
    std::uint64_t entries = 0;  ///< of the tar, and directories that it does not name
    std::uint64_t skipped_xattrs = 0;
    std::vector<std::string> opaque;  ///< directories to be marked opaque; "" is the root
};

/// Fills `own`, which is empty. Errors: invalid_image and limit_exceeded name the entry.
Result<Applied> apply_tar(TarReader& tar, OwnTree& own, const ApplyRequest& request);

}  // namespace knarr::layer
