#pragma once
// Whether bytes are an image as encode() writes them. A process that reads a hostile tar writes the
// image, and the kernel mounts it: what the kernel gets to see is looked at in between, so that who
// takes that process over gets no further. No more than the writer uses is let through: no
// compression, no shared attributes, nothing that points out of the image or its devices.

#include <cstdint>
#include <functional>
#include <span>

#include "erofs/image.h"
#include "knarr/result.h"

namespace knarr::erofs {

/// Fills `into` with an image's bytes from `at` on.
using ReadAt = std::function<Result<>(std::uint64_t at, std::span<char> into)>;

/// Errors: corrupt, saying what is wrong and where; those of `read`.
Result<> check(std::uint64_t image_bytes, const Devices& devices, const ReadAt& read);

/// The tree that encode() made the image of: checks it just so, and keeps what it sees.
Result<Tree> decode(std::uint64_t image_bytes, const Devices& devices, const ReadAt& read);

}  // namespace knarr::erofs
