#pragma once
// Who makes a container's cgroup.

#include <cstdint>
#include <string_view>

namespace knarr {

enum class CgroupManager : std::uint8_t {
    cgroupfs,  ///< knarr, in the cgroup file systems
    systemd,   ///< systemd, as a scope: of the system, or of the caller's own session
    disabled,  ///< nobody: the container stays in the caller's
};

/// As --cgroup-manager spells it.
constexpr std::string_view name_of(CgroupManager manager) {
    switch (manager) {
        case CgroupManager::systemd:
            return "systemd";
        case CgroupManager::disabled:
            return "disabled";
        case CgroupManager::cgroupfs:
            break;
    }
    return "cgroupfs";
}

}  // namespace knarr
