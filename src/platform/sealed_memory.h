#pragma once
// Programs and texts in memory that nobody can change. Source: memfd_create(2), fcntl(2) "File
// Sealing".

#include <string_view>

#include "platform/fd.h"

namespace knarr::sys {

/// An empty file in memory from which a program may be executed; close-on-exec.
/// Errors: unsupported or denied when the kernel has no (executable) memfd.
Result<Fd> make_executable_memory(const char* name);
/// From here on nobody can change it; everybody may read and execute it.
Result<> seal_executable(const Fd& file);
/// These bytes, for whoever gets the descriptor; close-on-exec.
Result<Fd> make_sealed_copy(const char* name, std::string_view bytes);
bool is_sealed(const Fd& file);

}  // namespace knarr::sys
