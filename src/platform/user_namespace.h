#pragma once

#include <string>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

/// Writes /proc/PID/uid_map. Lines are "INSIDE OUTSIDE COUNT\n".
/// Errors: denied with the kernel's rule when the caller may not map these IDs.
/// Source: user_namespaces(7).
Result<> write_uid_map(pid_t pid, const std::string& lines);
/// The same of gid_map; with `deny_setgroups`, which an unprivileged caller must, setgroups(2) is
/// switched off in that namespace first.
Result<> write_gid_map(pid_t pid, const std::string& lines, bool deny_setgroups);

/// A user namespace with these maps and no process in it, for an idmapped mount.
Result<Fd> make_user_namespace(const std::string& uid_lines, const std::string& gid_lines);

/// Becomes user and group 0 of the user namespace that this process was just put into; where 0 is
/// not mapped, the first ID that is. The capabilities stay. `proc` is the host's procfs.
Result<> become_namespace_root(const Fd& proc);

/// Is setgroups(2) switched off in our user namespace? Source: user_namespaces(7).
bool is_setgroups_denied(const Fd& proc);

/// Root, and of no user namespace but the first.
bool is_host_root();
/// Whoever started us, as helpers that are set-user-ID see it.
uid_t real_uid();
gid_t real_gid();

}  // namespace knarr::sys
