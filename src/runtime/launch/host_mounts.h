#pragma once
// Sources of mounts for a child in another user namespace: it may be closed out of the directories
// that lead there, and cannot map IDs. A process of the caller's opens them, in the child's own
// mount namespace: there every mount of the host is locked as it stands, so that the root of the
// user namespace cannot make a read-only one writable, allow devices and set-user-ID programs, or
// take one away that covers something. What is cloned in the host's namespace is not locked, and a
// peer of the host's mount where that is shared.
// Source: mount_namespaces(7), "Restrictions on mount namespaces".

#include <vector>

#include "platform/fd.h"
#include "platform/process.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime {

/// Opens them and sends them to the child, as soon as that is there: it waits for them before
/// anything else. None where the caller may not enter: then the child opens all by itself.
Result<> send_host_mounts(const LaunchPlan& plan, const sys::Clone& child, const sys::Fd& socket);

/// The child's side: a detached mount for step i, or nothing.
Result<std::vector<sys::Fd>> receive_host_mounts(const LaunchPlan& plan, const sys::Fd& socket);

}  // namespace knarr::runtime
