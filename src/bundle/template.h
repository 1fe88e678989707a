#pragma once
// The configuration that `spec` writes: a beginning for people and tests.

#include "spec/runtime_config.h"

namespace knarr::bundle {

/// A shell in a read-only root file system, with the namespaces, few capabilities and mounts that
/// runc's `spec` has too.
spec::RuntimeConfig template_config();

/// The same for a user who is not root: a user namespace in which `uid` and `gid` are 0, the host's
/// network, and nothing that needs more than that.
spec::RuntimeConfig rootless_template_config(std::uint32_t uid, std::uint32_t gid);

}  // namespace knarr::bundle
