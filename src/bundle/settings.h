#pragma once
// What a caller asks of a container besides what runs in it (knarr/settings.h), put into its
// configuration. Pure.

#include <string>
#include <vector>

#include "bundle/make.h"
#include "spec/runtime_config.h"

namespace knarr::bundle {

/// docker's rule: ALL adds or drops all; what is dropped by name goes unless everything is dropped,
/// what is added by name then comes. In the kernel's order, "CAP_CHOWN".
/// Errors: invalid_argument for a name that is none, naming the option.
Result<std::vector<std::string>> choose_capabilities(const SecuritySettings& security);

/// Changes a configuration with the default mounts and limits as `settings` say.
/// Errors: invalid_argument.
Result<> apply_settings(const ContainerSettings& settings,
                        const std::vector<HostDevice>& devices,
                        spec::RuntimeConfig& config);

/// The mounts that `settings` ask for by --tmpfs. Errors: invalid_argument.
Result<std::vector<spec::Mount>> tmpfs_mounts(const ContainerSettings& settings);

/// linux.cgroupsPath of a container with that ID in `parent`: a path from the root of the
/// hierarchy, or "NAME.slice" for systemd. Empty for no parent: the usual place.
std::string cgroup_below(std::string_view parent, std::string_view id);

/// An absolute path in the container without "//", "/./" and a "/" at its end. Errors:
/// invalid_argument for the root, for ".." and for what is not absolute; `what` names it.
Result<std::string> target_path(std::string_view path, std::string_view what);

}  // namespace knarr::bundle
