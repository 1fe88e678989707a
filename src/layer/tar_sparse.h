#pragma once
// The maps of sparse files in a tar, in the forms that GNU tar has had for them.
// Source: GNU tar manual, "Storing Sparse Files".

#include <functional>

#include "layer/tar.h"
#include "layer/tar_extended.h"

namespace knarr::layer {

/// Takes the next block of the tar; false at its end.
using TakeBlock = std::function<Result<bool>(TarBlock&)>;

/// The oldest form: in the entry's own header, of type 'S', and in blocks behind it.
/// Errors: invalid_image.
Result<> read_gnu_sparse(const TarBlock& header, const TakeBlock& take, TarEntry& entry);

/// The forms of PAX, 0.0, 0.1 and 1.0; nothing happens to an entry that is none of them. What
/// stands before the data is no longer part of `stored_size` then. Errors: invalid_image.
Result<> read_pax_sparse(TarExtended& extended, const TakeBlock& take, TarEntry& entry);

}  // namespace knarr::layer
