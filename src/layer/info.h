#pragma once

#include <string>
#include <string_view>

#include "layer/unpack.h"

namespace knarr::layer {

std::string encode_info(const LayerInfo& info, std::string_view diff_id);

struct DecodedInfo {
    LayerInfo info;
    std::string diff_id;
};
/// Errors: corrupt.
Result<DecodedInfo> decode_info(std::string_view text);

/// Room for a million opaque directories of usual length.
inline constexpr std::size_t kMaxInfoBytes = 64 * size::kMiB;

}  // namespace knarr::layer
