#pragma once
// The monitor: a small process above one container. It is the parent of the
// container's first process, holds the reading ends of its streams, writes the log, and records how
// it ended. What it decides stands in watch.h; here it is carried out.
//
// There are two of them. One watches; the other stands by: it holds the same ends of the streams
// and waits for nothing but the first one's end. When that is killed it watches, and starts another
// to stand by; when the one that stands by is killed, the first starts another. At first the one
// that stands by is the parent of the one that watches: the kernel then makes it the container's
// parent, so that it learns the exit code as a parent does. Later ones are children, and learn it
// from a pidfd that they hold (Linux 6.15). When both are killed at once, the next verb of knarr
// that looks at the container starts new ones.
//
// It is the program knarr-monitor (src/monitor): nothing of its starter's is left in it, neither
// descriptors nor working directory or terminal, and of the environment where its log is.
// ROOT/ID/monitor is locked while it lives; ROOT/ID/trouble has what it could not do
// (monitor_context.h).

#include "engine/monitor_start.h"

namespace knarr::engine {

/// The monitor's whole life; returns when its container has ended and that is recorded.
Result<> monitor(const MonitorOrder& order);

}  // namespace knarr::engine
