#pragma once
// What is inside a compressed archive from outside that is no layer yet: of `load` and `import`.

#include "core/clock.h"
#include "layer/tar_file.h"

namespace knarr::layer {

/// Decompresses `input` from its beginning, whatever its position, in a process that has nothing
/// else in reach, as layers are. The bytes go to `output`, an empty file, or nowhere where that is
/// null: then only their number and digest are wanted. No digest says what they have to be, so
/// gzip's checksums are compared. Only for single-threaded programs.
/// `max_bytes` bounds what comes out, `end` the time.
/// Errors: invalid_image; limit_exceeded; no_space; timed_out.
Result<WrittenTar> inflate_in_jail(const sys::Fd& input,
                                   const sys::Fd* output,
                                   std::uint64_t max_bytes,
                                   Clock::Steady end);

}  // namespace knarr::layer
