#pragma once

#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::runtime {

/// Copies the tree below the directory `from` into `to` (option tmpcopyup): files, directories,
/// links and their owners, modes and times; device nodes and sockets are left out. What `to` itself
/// is, owner and mode, stays.
Result<> copy_up(const sys::Fd& from, const sys::Fd& to);

}  // namespace knarr::runtime
