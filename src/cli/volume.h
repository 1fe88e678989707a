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
/// beginning with "." relative to the current directory; or a volume's name. CONTAINER alone is an
/// anonymous volume. Options: rw, ro, bind, rbind, the propagations, nosuid, nodev, noexec, of
/// volumes nocopy; z and Z (SELinux labels) are taken with a warning.
/// Errors: invalid_argument.
Result<ParsedVolume> parse_volume(std::string_view text);

/// The only driver that there is. Errors: unsupported.
Result<> check_volume_driver(std::string_view driver);

/// "rprivate", "rslave", "rshared", ...
bool is_propagation(std::string_view text);

}  // namespace knarr::cli
