#pragma once
// What a caller hands over and gets back besides a container: open descriptors and a pid file.

#include <string>

#include <sys/types.h>

#include "knarr/result.h"

namespace knarr::engine {

/// Whether the descriptors 3 .. 3+count-1 are open and the caller's own.
/// Errors: invalid_argument naming the first that is not.
Result<> check_preserved_fds(unsigned count);

/// Writes `pid` into `path`, relative to the caller's directory, so that readers see all or
/// nothing.
Result<> write_pid_file(const std::string& path, pid_t pid);
void remove_pid_file(const std::string& path);

}  // namespace knarr::engine
