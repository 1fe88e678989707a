#pragma once
// Filters that ask a listener (SECCOMP_RET_USER_NOTIF): how it gets out of the filtered process.

#include <string_view>

#include "platform/fd.h"
#include "platform/seccomp.h"

namespace knarr::sys {

/// Gives the listener away; false ends the process. Runs in another thread, see below.
using ListenerReceiver = bool (*)(void* context, Fd listener);
/// Loads a filter that asks a listener, and hands that over before the calling thread makes any
/// further system call, which the listener might have to decide. Only for a process with a single
/// thread that executes a program next.
Result<> load_seccomp_listened(const SeccompProgram& program,
                               ListenerReceiver hand_over,
                               void* context);

/// Sends the whole text over a stream, a descriptor with its first part; waits for at most ten
/// seconds for the reader.
Result<> send_with_fd(const Fd& socket, std::string_view text, const Fd& fd);

}  // namespace knarr::sys
