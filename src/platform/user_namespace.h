#pragma once

#include <string>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

/// Writes /proc/PID/{setgroups,uid_map,gid_map}. Lines are "INSIDE OUTSIDE COUNT\n".
/// Errors: denied with the kernel's rule when the caller may not map these IDs.
/// Source: user_namespaces(7).
Result<> write_id_maps(pid_t pid,
                       const std::string& uid_lines,
                       const std::string& gid_lines,
                       bool deny_setgroups);

/// A user namespace with these maps and no process in it, for an idmapped mount.
Result<Fd> make_user_namespace(const std::string& uid_lines, const std::string& gid_lines);

}  // namespace knarr::sys
