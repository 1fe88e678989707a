#pragma once
// From an entry of a tar to what stands for it on a disk.

#include <sys/types.h>

#include "layer/tar.h"
#include "platform/fd.h"

namespace knarr::layer {

/// The file type of a FIFO or device: S_IFIFO, S_IFCHR, S_IFBLK.
mode_t special_type(EntryType type);

/// Writes the data of the entry that `tar` is at into an empty file; holes stay holes.
/// Errors: those of the tar and of writing; invalid_image where a sparse one's data is cut off.
Result<> write_data(TarReader& tar, const TarEntry& entry, const sys::Fd& file);

}  // namespace knarr::layer
