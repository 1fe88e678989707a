#pragma once
// Mounts of the host by the operator's path.

#include <cstdint>
#include <string>

#include "knarr/result.h"

namespace knarr::sys {

/// Whether something is mounted on `path`; no where there is nothing. Source: statx(2).
Result<bool> is_mount_point(const std::string& path);

enum class UnmountWay : std::uint8_t {
    when_idle,  ///< EBUSY while somebody uses it
    detach,     ///< out of sight at once, gone when the last user leaves
};
/// umount2(2), never through a link at the end. Errors: sys_errno EBUSY.
Result<> unmount_path(const std::string& path, UnmountWay way);
/// Detaches what is mounted on `path`; nothing there is no error.
Result<> detach_if_mounted(const std::string& path);

}  // namespace knarr::sys
