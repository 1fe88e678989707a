#pragma once
// linux.intelRdt: the class of service in which a container's processes run.

#include <optional>
#include <string>

#include "platform/host_facts.h"
#include "platform/resctrl.h"
#include "spec/runtime_config.h"

namespace knarr::runtime::native {

/// The class of container `id`; nothing where none is asked for.
/// Errors: unsupported when no resctrl is mounted or the CPU does not monitor; invalid_config when
/// a class that must be there is not. Source: runtime-spec config-linux.md "IntelRdt".
Result<std::optional<sys::ResctrlGroup>> plan_intel_rdt(const spec::RuntimeConfig& config,
                                                        const sys::HostFacts& host,
                                                        const std::string& id);

}  // namespace knarr::runtime::native
