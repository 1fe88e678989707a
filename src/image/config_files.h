#pragma once
// The operator's files about registries, in podman's places and order.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::image {

inline constexpr std::string_view kContainers = "/etc/containers";

/// Nothing when the file is not there.
Result<std::optional<std::string>> read_if_there(const std::string& path);

/// Names in a directory that end so, sorted; none when it is not there.
Result<std::vector<std::string>> files_in(const std::string& dir, std::string_view ending);

/// ~/.config/containers of whoever is not root; empty for root, as podman has it.
std::string own_config();

struct ConfigFile {
    std::string path, text;
};
/// All that make up registries.conf, later ones over earlier ones.
/// Errors: invalid_argument when $CONTAINERS_REGISTRIES_CONF names a file that is not there.
Result<std::vector<ConfigFile>> registries_files();

/// Where podman keeps what people answered when it asked them for a short name; it is over the
/// files above. Nothing when it is not there, or $CONTAINERS_REGISTRIES_CONF is to be read alone.
Result<std::optional<ConfigFile>> answered_names();

}  // namespace knarr::image
