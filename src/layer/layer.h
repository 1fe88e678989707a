#pragma once
// layer: compressed tars -> directories that overlayfs can stack, and a container's root made of
// them. The tar is hostile: it is unpacked by a process of its own that sees nothing else.
//
//   chain ID   names a layer together with all below it; its directory is DATA_ROOT/layers/<hex>
//   diff ID    sha256 of the uncompressed tar; verified before the directory becomes visible
//   whiteout   a character device 0:0 that hides a name of a lower layer
//   opaque     a directory that hides all that lower layers have in it
//
// In: a stored blob, its diff ID, the chain of layers below. Out: layers/<hex>/{fs,meta,lock},
// whole or not at all; then OverlayRoot{lowers, upper, work, merged}, nothing mounted.
//   tar.h reads tar, inflate.h decompresses, apply.h makes the files, unpack.h is the job with its
//   process and its verification, tar_mark.h what a blob was seen to hold, snapshot.h makes a
//   container's root.

#include "layer/snapshot.h"
#include "layer/unpack.h"
