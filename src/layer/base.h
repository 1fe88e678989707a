#pragma once
// The layer below all layers of an image: what a container has mounts on, and nothing else. Where
// the image has no such place, a container need not make one in its own layer, which costs more
// than to mount something there.

#include <string>

#include "knarr/result.h"

namespace knarr::layer {

/// DATA_ROOT/base: the directories proc, dev, sys and etc, and in that the files hosts, hostname
/// and resolv.conf, empty, root's. It is made once and stays.
std::string base_path(const std::string& data_root);
/// Makes it where it is missing.
Result<> make_base(const std::string& data_root);

}  // namespace knarr::layer
