#pragma once
// What the simulation asks the real kernel for: memory, turns, and the processes that play the
// simulated ones.

#include <sys/types.h>

namespace knarr::sim {

/// A real system call; -errno when it fails.
long real_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0);
/// A real fork(2).
pid_t real_fork();
/// Calls what this process has for its pending signals (processes.cpp).
void handle_signals();

}  // namespace knarr::sim
