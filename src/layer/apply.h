#pragma once
// Makes the files of one layer's tar in a directory for overlayfs.
//
// Rules: an entry is only ever made in a directory that was opened beneath the root, under a name
// without "/", never over a link. Whiteouts become character devices 0:0, opaque markers are
// reported (setting trusted.* needs a power that this code shall not have) and hide only what lower
// layers have, wherever in the tar they stand. Of two entries with one path the later one stays.

#include <cstdint>
#include <string>
#include <vector>

#include "core/limits.h"
#include "layer/tar.h"
#include "layer/view.h"

namespace knarr::layer {

struct ApplyRequest {
    const sys::Fd* root = nullptr;   ///< an empty directory
    std::vector<LowerLayer> lowers;  ///< highest first
    Limits limits = {};
    std::uint64_t lower_bytes = 0;  ///< content of the layers below, counted in max_rootfs_bytes
};

struct Applied {
    std::uint64_t bytes = 0;    ///< of file content on disk
    std::uint64_t entries = 0;  ///< of the tar
    std::uint64_t skipped_xattrs = 0;
    std::vector<std::string> opaque;  ///< directories to be marked opaque; "" is the root
};

/// The process's umask must be 0. Errors: invalid_image and limit_exceeded name the entry.
Result<Applied> apply_tar(TarReader& tar, const ApplyRequest& request);

}  // namespace knarr::layer
