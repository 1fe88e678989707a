#pragma once
// Which tar a stored blob was seen to hold: an attribute of the blob's file, so that it goes with
// the file. A layer that is stored already is not unpacked again for another blob that claims to be
// the same one; what is remembered here spares reading that blob again each time.

#include "platform/fd.h"
#include "spec/image.h"

namespace knarr::layer {

/// Whether the blob was seen to hold the tar `diff_id`.
bool is_known_to_hold(const sys::Fd& blob, const spec::Digest& diff_id);
/// A file system that keeps no such attributes costs time, no more.
void remember_tar(const sys::Fd& blob, const spec::Digest& diff_id);

}  // namespace knarr::layer
