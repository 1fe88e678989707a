#pragma once
// Snapshot drivers: the forms in which an unpacked layer is kept. Each layer says which it has, so
// that both kinds stack on each other.
//
//   dir     a directory of files                                   any kernel, any file system
//   erofs   the layer's tar and an EROFS image that points into it   kernel 6.4 or newer, root
//
// What they share: the rules by which a tar becomes files (apply.h), the job with its jailed
// process (unpack.h), and LAYER/fs as the place where the files show, a mount point for `erofs`.

#include <cstdint>
#include <optional>
#include <string_view>

#include "platform/image_mount.h"
#include "store/store.h"

namespace knarr::layer {

enum class Driver : std::uint8_t { dir, erofs };

/// "dir", "erofs".
std::string_view name_of(Driver driver);
std::optional<Driver> parse_driver(std::string_view name);

/// Why layers cannot be kept as EROFS in a directory: tried with an empty image. Nothing: they can.
Result<std::optional<Error>> why_no_erofs(const sys::Fd& dir);

/// What is taken where none is asked for: erofs where images can be mounted straight from files in
/// `dir`, else dir. Not by loop devices unless KNARR_EROFS_BACKING says so: the host has few of
/// them, and each layer would take two.
Result<Driver> default_driver(const sys::Fd& dir);

/// `wanted`, else the default. Errors: unsupported when `wanted` does not work here.
Result<Driver> choose_driver(const store::Store& store, std::optional<Driver> wanted);

/// KNARR_EROFS_BACKING=file or loop: how EROFS images are mounted.
Result<sys::ImageBacking> erofs_backing();

}  // namespace knarr::layer
