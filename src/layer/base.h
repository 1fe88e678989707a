#pragma once
// The layer below all layers of an image: what a container has mounts on, and what says that it is
// one. Where the image has no such place, a container need not make one in its own layer, which
// costs more than to mount something there; and what is here is no change of the container's.

#include <cstdint>
#include <string>

#include "knarr/result.h"

namespace knarr::layer {

/// There are two of them, each made once to stay.
enum class Base : std::uint8_t {
    /// DATA_ROOT/base: the directories proc, dev, sys and etc, and in that the files hosts,
    /// hostname and resolv.conf, empty, root's. Files of a container are read above it where they
    /// go somewhere else (export, cp).
    of_files,
    /// DATA_ROOT/ground: the same and docker's /.dockerenv, empty, by which programs know a
    /// container, and /etc/mtab, a link to /proc/mounts. Containers run above it.
    of_containers,
};
std::string base_path(const std::string& data_root, Base which);
/// Makes both where they are missing.
Result<> make_base(const std::string& data_root);

}  // namespace knarr::layer
