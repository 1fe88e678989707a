#pragma once
// Containers in the background: how a launch gets monitors above it.
//
//   knarr run -d ─ clone ─> stands by ─ clone ─> watches ─ clone ─> launcher ─ launch ─> container
//                             │ execve              │ execve          │ the same memory as knarr:
//                             v                     v                 v what was decided there
//                           knarr-monitor         knarr-monitor       is carried out; it ends
//
// When the launcher has ended, the container is a child of the one that watches, which is the next
// subreaper above it. The launcher tells knarr how it went, and gives the monitors the reading ends
// of the streams, by sockets. One whose launcher is killed on the way the monitor clears away; of
// the monitors each goes on without the other (monitor.h).

#include "engine/context.h"
#include "engine/new_container.h"

namespace knarr::engine {

/// What a program with a kept stdin and without a terminal reads: written to by who attaches.
inline constexpr const char* kStdinFifo = "stdin";

/// Launches `wanted` under a monitor of its own; returns when its program runs.
/// Errors: those of run_container; unsupported when there is no knarr-monitor.
Result<> run_in_background(const Context& context, NewContainer wanted);

}  // namespace knarr::engine
