#pragma once
// Trees of layers as the one tree that a container sees of them: what overlayfs shows of a stack of
// mounts, worked out beforehand. Source: kernel Documentation/filesystems/overlayfs.rst.

#include <cstdint>

#include "erofs/image.h"

namespace knarr::erofs {

/// Puts a layer's tree over what is below it. A name of the upper one hides the same name below;
/// directories that both have are one, with the upper's attributes, unless it is opaque; whiteouts
/// hide. `device`: of the layer's content, among those of the whole. What no name leads to any more
/// stays among the inodes; encode() leaves it out.
void put_over(Tree& below, Tree upper, std::uint16_t device);

/// When the last layer is there: takes away the whiteouts and marks that were for overlayfs.
void drop_marks(Tree& tree);

}  // namespace knarr::erofs
