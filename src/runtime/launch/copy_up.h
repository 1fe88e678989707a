#pragma once

#include "platform/fd.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime {

/// Copies the tree below the directory `from` into `to` (option tmpcopyup): files, directories,
/// links and their owners, modes and times; device nodes and sockets are left out.
Result<> copy_up(const sys::Fd& from, const sys::Fd& to);

/// "0 1000 1\n..." as /proc/PID/uid_map wants it.
std::string to_lines(const std::vector<spec::IdMapping>& mappings);

}  // namespace knarr::runtime
