#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "layer/driver.h"

namespace knarr::layer {

/// What an unpacked layer holds.
struct LayerInfo {
    std::uint64_t bytes = 0;    ///< of file content; with the driver erofs of the tar that is kept
    std::uint64_t entries = 0;  ///< of the tar, and directories that it does not name
    std::vector<std::string> opaque;   ///< opaque directories, "" is the root
    std::uint64_t skipped_xattrs = 0;  ///< those that only mean something to another host
    Driver driver = Driver::dir;
};

std::string encode_info(const LayerInfo& info, std::string_view diff_id);

struct DecodedInfo {
    LayerInfo info;
    std::string diff_id;
};
/// Errors: corrupt.
Result<DecodedInfo> decode_info(std::string_view text);

/// What a stored layer holds, from its meta file. Errors: image_not_found; corrupt.
Result<LayerInfo> read_layer_info(const store::Store& store, const spec::Digest& chain_id);

/// Room for a million opaque directories of usual length.
inline constexpr std::size_t kMaxInfoBytes = 64 * size::kMiB;

}  // namespace knarr::layer
