#pragma once

#include <string_view>
#include <vector>

#include "knarr/run.h"

namespace knarr::cli {

struct ParsedVolume {
    VolumeRequest volume;
    std::vector<std::string> warnings;
};

/// `HOST:CONTAINER[:OPTION,...]` as docker and podman spell --volume. HOST is a path: absolute, or
/// beginning with "." relative to the current directory. Options: rw, ro, bind, rbind, the
/// propagations, nosuid, nodev, noexec; z and Z (SELinux labels) are taken with a warning.
/// Errors: invalid_argument; unsupported for a named or anonymous volume.
Result<ParsedVolume> parse_volume(std::string_view text);

}  // namespace knarr::cli
