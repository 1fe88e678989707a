#pragma once

#include <string>
#include <vector>

#include "platform/seccomp.h"
#include "spec/runtime_config.h"

namespace knarr::bundle {

struct SeccompConversion {
    sys::SeccompPolicy policy;
    std::vector<std::string> unknown_syscalls;  // left out, as runc and crun do; worth a warning
};

/// The policy that "linux.seccomp" of config.json asks for. An action without errnoRet fails with
/// EPERM; SECCOMP_FILTER_FLAG_TSYNC says nothing, the container has one thread then.
///
/// Errors: invalid_config for an unknown action, architecture, operator or flag, an errno above
/// 4094, an argument index above 5, and for SCMP_ACT_NOTIFY without a listenerPath, as the default
/// action or for write(2), which no listener could answer; unsupported for an architecture that
/// knarr does not compile filters for.
/// Source: runtime-spec config-linux.md "Seccomp".
Result<SeccompConversion> seccomp_policy(const spec::Seccomp& seccomp);

}  // namespace knarr::bundle
