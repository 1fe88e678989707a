#pragma once
// Who makes a container's cgroup.

#include <cstdint>

namespace knarr {

enum class CgroupManager : std::uint8_t {
    cgroupfs,  ///< knarr, in the cgroup file systems
    systemd,   ///< systemd, as a scope: of the system, or of the caller's own session
};

}  // namespace knarr
