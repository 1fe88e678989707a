#pragma once
// Device nodes of a container and the rules about device access.

#include <string>
#include <vector>

#include "runtime/launch/plan.h"

namespace knarr::runtime::native {

enum class NodeWay : std::uint8_t { make, bind };  // bind: a user namespace cannot make nodes

/// /dev/null, zero, full, random, urandom, tty, the link ptmx and the links fd, stdin, stdout,
/// stderr. What config.devices names itself is left to it.
/// Source: runtime-spec config-linux.md "Default Devices", runtime-linux.md "File descriptors".
std::vector<Step> default_devices(const std::vector<spec::Device>& config, NodeWay way);

/// config.linux.devices. Errors: invalid_config for a path that is not absolute, a type other than
/// c, b, u, p, a number or a mode out of range.
Result<std::vector<Step>> config_devices(const std::vector<spec::Device>& config, NodeWay way);

/// The rules in force, in order: nothing, then what the bundle says, then what every container may
/// use (its default devices, making nodes, its terminals), as runc and crun do.
/// Errors: invalid_config for an unknown type, access letter or number. The letter "a", which runc
/// ignores, denies all accesses and allows none.
Result<std::vector<sys::CgroupDeviceRule>> device_rules(const std::vector<spec::DeviceRule>& rules);
/// Whether the access of a rule has the letter "a".
bool has_letter_a(const spec::DeviceRule& rule);

/// The same as writes to devices.allow and devices.deny of a v1 hierarchy; rules that change
/// nothing are left out. Errors: unsupported for a denial that v1 cannot express, a hole in a
/// wider permission (the kernel would accept and ignore it).
/// Source: kernel cgroup-v1/devices.rst.
Result<std::vector<sys::CgroupWrite>> device_writes(
    const std::vector<sys::CgroupDeviceRule>& rules);

}  // namespace knarr::runtime::native
