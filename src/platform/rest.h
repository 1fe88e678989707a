#pragma once
// Waiting for long: a process that rests costs the machine next to nothing.

#include <functional>
#include <span>

#include "platform/socket.h"

namespace knarr::sys {

/// Gives up the mappings of this program's code and constants, which are files' pages: they do not
/// count as this process's memory until it needs them again and finds them in the page cache.
/// Source: madvise(2), MADV_DONTNEED.
void release_program_pages();

/// wait_ready() which, when nothing has come for a second, releases the program's pages for the
/// rest of the time, and has `release` do the same with what else there is.
Result<> wait_at_rest(std::span<Ready> items, int timeout_ms, const std::function<void()>& release);

}  // namespace knarr::sys
