#pragma once
// The safe defaults of a container that is made from an image (features.md B2).

#include <map>
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

enum class Gids { all, unknown };
/// In a network of its own, where it concerns nobody else, each user of a container may listen at
/// any port and send what ping does, as docker has it. Empty where the network is not its own.
/// `own`: what of groups there is without mappings of the container's; ping is for those from 0 on
/// that its user namespace has, as the kernel takes no other. Source: Linux ip-sysctl.rst.
std::map<std::string, std::string> default_sysctls(const spec::RuntimeConfig& config, Gids own);

}  // namespace knarr::bundle
