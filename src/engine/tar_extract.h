#pragma once

#include "platform/fd.h"

namespace knarr::engine {

/// Unpacks a tar, which is hostile, into a directory, which may be: no entry is made outside of
/// `root` or through a link that is in it. What is there is replaced, but a directory only by a
/// directory. Owners, modes and times are the tar's.
/// Errors: invalid_image naming the entry.
Result<> extract_tar(const sys::Fd& input, const sys::Fd& root);

}  // namespace knarr::engine
