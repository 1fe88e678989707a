#pragma once
// layer: compressed tars -> layers that overlayfs can stack, and a container's root made of them.
// The tar is hostile: it is unpacked by processes of its own that see nothing else.
//
//   chain ID   names a layer together with all below it; its directory is DATA_ROOT/layers/<hex>
//   diff ID    sha256 of the uncompressed tar; verified before the directory becomes visible
//   driver     the form in which a layer is kept: a directory of files, or an EROFS image
//   whiteout   a character device 0:0 that hides a name of a lower layer
//   opaque     a directory that hides all that lower layers have in it
//
// In: a stored blob, its diff ID, the chain of layers below. Out: layers/<hex>/{fs,meta,lock,...},
// whole or not at all; then OverlayRoot{lowers, upper, work, merged}.
//   tar.h reads tar, tar_entry.h writes its entries, inflate.h decompresses, apply.h has the rules,
//   own_tree.h what they fill: disk_tree.h or erofs_tree.h; unpack.h is the job with its
//   processes and its verification, inflate_job.h its first half, jailed_inflate.h the same of no
//   layer; tar_mark.h what a blob was seen to hold; staged.h a layer before and stored.h after it
//   can be found, info.h what is kept of it; merged.h all
//   layers of an image as one; driver.h chooses; snapshot.h makes a container's root,
//   base.h the layer below the image's.
//   Below these: view.h what the layers below and this one show together, path.h paths of a tar,
//   tar_number.h numbers of its headers, tar_extended.h what PAX adds to them, tar_sparse.h maps of
//   sparse files, tar_file.h a tar on the disk; deflate.h, deflate_code.h and crc32.h are
//   gzip's.

#include "layer/driver.h"
#include "layer/inflate_job.h"
#include "layer/merged.h"
#include "layer/snapshot.h"
#include "layer/stored.h"
#include "layer/unpack.h"
