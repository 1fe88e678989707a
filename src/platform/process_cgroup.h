#pragma once
// Where the kernel says that a process is, in the v2 hierarchy.

#include <string>

#include <sys/types.h>

#include "knarr/result.h"

namespace knarr::sys {

/// The v2 cgroup of a process, "/knarr/web/init", as our cgroup namespace sees it; "/.." where it
/// lies outside. Empty where there is no v2 hierarchy. Source: proc(5) /proc/pid/cgroup, "0::".
Result<std::string> v2_cgroup_of(pid_t pid);

}  // namespace knarr::sys
