#pragma once
// --mount, docker's long form of --volume and --tmpfs.

#include <optional>
#include <string_view>

#include "knarr/run.h"

namespace knarr::cli {

/// One --mount, "type=bind,source=/h,target=/c,readonly": a bind, a volume, or a tmpfs.
struct ParsedMount {
    std::optional<VolumeRequest> volume;
    std::optional<TmpfsRequest> tmpfs;
};
/// Errors: invalid_argument, unsupported.
Result<ParsedMount> parse_mount(std::string_view text);

}  // namespace knarr::cli
