#pragma once
// How a container says that somebody watches it: files in its state directory that are locked as
// long as a monitor lives, or the knarr in whose foreground it is.

#include "platform/fd.h"

namespace knarr::engine {

inline constexpr const char* kMonitorLock = "monitor";
/// A file that is locked as long as any monitor has the terminal: the lock goes with a descriptor
/// that is handed on, and whoever has it, if only in the mail, will watch. Nobody else is to, who
/// would be without.
inline constexpr const char* kTerminalLock = "terminal";

/// Opens what monitors lock by sys::try_lock: the one that watches kMonitorLock, as a knarr does
/// with the container in its foreground.
Result<sys::Fd> open_lock(const sys::Fd& dir, const char* name);
/// Locks the container for who watches it, from before its program runs: nobody else adopts it. The
/// monitors of its last run may have to end first. Errors: wrong_state.
Result<sys::Fd> lock_to_watch(const sys::Fd& dir, const char* name);
/// Whether somebody watches the container whose state directory this is, or is about to.
Result<bool> is_watched(const sys::Fd& dir);

}  // namespace knarr::engine
