#pragma once
// Cloning in a program with several threads: an embedder's.

#include <functional>

#include <sys/types.h>

namespace knarr::sys {

/// Whether this process has more than the calling thread. Without procfs: no, as our children are.
bool has_other_threads();

/// What a clone came to: 0 in the child, its pid, or -1 and errno.
struct RawClone {
    pid_t pid = -1;
    int error = 0;
};

/// Runs `clone`, which makes a child of its caller's parent (CLONE_PARENT), in a process between:
/// that one comes of the C library's fork, which leaves its memory allocator and streams whole
/// although other threads were inside of them. So is what the child inherits, and the child is
/// ours all the same.
RawClone clone_among_threads(const std::function<RawClone()>& clone);

}  // namespace knarr::sys
