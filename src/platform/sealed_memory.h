#pragma once
// Programs in memory that nobody can change. Source: memfd_create(2), fcntl(2) "File Sealing".

#include "platform/fd.h"

namespace knarr::sys {

/// An empty file in memory from which a program may be executed; close-on-exec.
/// Errors: unsupported or denied when the kernel has no (executable) memfd.
Result<Fd> make_executable_memory(const char* name);
/// From here on nobody can change it; everybody may read and execute it.
Result<> seal_executable(const Fd& file);
bool is_sealed(const Fd& file);

}  // namespace knarr::sys
