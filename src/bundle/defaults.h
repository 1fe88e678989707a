#pragma once
// The safe defaults of a container that is made from an image (features.md B2).

#include <string>
#include <vector>

#include "spec/runtime_config.h"

namespace knarr::bundle {

/// proc, /dev, devpts, /dev/shm, mqueue, sysfs and cgroup, in the order of mounting.
std::vector<spec::Mount> default_mounts();
/// Writable places of a read-only container: /tmp, /run, /var/tmp, each a bounded tmpfs.
std::vector<spec::Mount> read_only_scratch();
std::vector<std::string> default_masked_paths();
std::vector<std::string> default_readonly_paths();
/// Nothing but null, zero, full, random, urandom, tty, ptmx and terminals.
std::vector<spec::DeviceRule> default_device_rules();

}  // namespace knarr::bundle
