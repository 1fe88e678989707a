#pragma once
// A program in the foreground: from the open gate to its exit code.

#include <chrono>
#include <optional>

#include "engine/notify.h"
#include "engine/relay.h"
#include "platform/fd.h"
#include "platform/signal.h"

namespace knarr::engine {

/// Hands signals on to the child `process` until it has ended, and reaps it; its exit code. Nothing
/// when `timeout` is over first, or the relay is left by its keys. With a `relay` it serves the
/// program's terminal meanwhile, and SIGWINCH is the terminal's: the kernel tells the program. With
/// a `notify` it passes the program's readiness on. Errors: interrupted when `cancel_fd` becomes
/// readable; the process is as it was.
struct Beside {
    Relay* relay = nullptr;
    NotifyProxy* notify = nullptr;
    int cancel_fd = -1;
};
Result<std::optional<int>> attend(sys::SignalFd& signals,
                                  const sys::Fd& process,
                                  Beside beside,
                                  std::optional<std::chrono::milliseconds> timeout = {});

}  // namespace knarr::engine
