#pragma once
// The system calls of a jailed worker.

#include <cstdint>

#include "platform/seccomp.h"

namespace knarr::sys {

/// What a worker may ask of the kernel. Anything else ends it.
enum class WorkerCalls : std::uint8_t {
    files,  ///< all but what makes processes, namespaces, mounts, sockets and the like
    bytes,  ///< reading and writing what is open, and memory that cannot be executed
};

/// The filter; pure.
Result<SeccompProgram> worker_filter(WorkerCalls calls);

}  // namespace knarr::sys
