#pragma once
// Seccomp filters that ask an agent about calls (SCMP_ACT_NOTIFY): the listener's way to it.

#include "platform/fd.h"
#include "platform/seccomp.h"
#include "runtime/launch/launch.h"

namespace knarr::runtime {

/// In the child: loads a filter that asks a listener, which goes over `report` to who opened the
/// gate.
Result<> load_listened_filter(const sys::SeccompProgram& filter, const sys::Fd& report);
/// The other side: gives the listener to the agent and lets the child go on.
Result<> serve_listener(const sys::Fd& gate, const sys::Fd& listener, const ListenerAgent& agent);

}  // namespace knarr::runtime
