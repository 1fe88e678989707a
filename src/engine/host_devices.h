#pragma once
// The devices of the host that an image's container gets.

#include <vector>

#include "bundle/make.h"
#include "knarr/settings.h"

namespace knarr::engine {

/// The devices that --device names, those of a directory one by one; with `privileged` all that the
/// host has below /dev, but terminals and what every container has of its own.
/// Errors: invalid_argument for what is not there or no device.
Result<std::vector<bundle::HostDevice>> host_devices(const ContainerSettings& settings);

/// The limits and weights of single block devices, by number.
/// Errors: invalid_argument for what is not there or no block device.
Result<spec::BlockIoLimits> device_limits(const ResourceSettings& settings);

}  // namespace knarr::engine
