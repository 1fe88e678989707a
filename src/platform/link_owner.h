#pragma once
// Whose symbolic links a path goes through.

#include <optional>
#include <string>

#include "knarr/result.h"

namespace knarr::sys {

struct LinkOfAnother {
    std::string path;
    unsigned owner = 0;
};

/// The first symbolic link on the way to `path` (absolute; itself included) that belongs neither to
/// root nor to us: its owner decides where the path leads. What is not there ends the look.
Result<std::optional<LinkOfAnother>> link_of_another(const std::string& path);

}  // namespace knarr::sys
