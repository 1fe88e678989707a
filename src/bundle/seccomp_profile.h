#pragma once
// Which rules of a seccomp profile in Docker's form count for one container. Pure.

#include <string>
#include <vector>

#include "spec/seccomp_profile.h"

namespace knarr::bundle {

/// The filter for a container that can have at most these capabilities, on this machine's
/// architecture with a kernel of that version. Docker's rules: one is left out that excludes the
/// architecture, any of the capabilities or the kernel's version, and one whose includes name
/// architectures without this one, a capability that the container cannot have, or a newer kernel.
/// Architectures are those of the map's entry for this machine; without one its own alone.
spec::Seccomp choose_rules(const spec::SeccompProfile& profile,
                           const std::vector<std::string>& capabilities,
                           spec::KernelVersion kernel);

}  // namespace knarr::bundle
