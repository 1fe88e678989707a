#pragma once
// Mounts of this mount namespace below a directory: for containers without one of their own.

#include <string>

#include "knarr/result.h"

namespace knarr::sys {

/// Errors: unsupported when something is mounted below `directory` (a mount on it does not count).
Result<> refuse_mounts_below(const std::string& directory);

/// Detaches every mount below `directory`, the last one first. A directory that is gone has none.
Result<> unmount_below(const std::string& directory);

}  // namespace knarr::sys
