#pragma once
// The system calls of a flow (flow.h): one read or write on a descriptor that polled ready.

#include <optional>
#include <span>

#include "engine/flow.h"
#include "platform/fd.h"

namespace knarr::engine {

/// Nothing yet; or the count, 0 at the end. A terminal whose other side is gone says EIO.
std::optional<std::size_t> read_ready(const sys::Fd& fd, std::span<char> room);

enum class Sink { open, gone };
/// A piece of what is held, which the kernel takes whole from a pipe that polled writable.
Sink write_ready(const sys::Fd& fd, Flow& flow);

}  // namespace knarr::engine
