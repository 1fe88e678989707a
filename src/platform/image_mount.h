#pragma once
// File systems that are mounted from files: straight from them, or through loop devices where the
// kernel cannot do that.

#include <cstdint>
#include <string>
#include <vector>

#include "platform/fd.h"

namespace knarr::sys {

enum class ImageBacking : std::uint8_t {
    best,  ///< file where the kernel and the file system that holds the files can, else loop
    file,  ///< erofs from files: kernel 6.12 and newer, CONFIG_EROFS_FS_BACKED_BY_FILE
    loop,  ///< loop devices, gone with the mount
};

/// Mounts an EROFS image whose files' contents lie in other files, its devices in their order:
/// read-only, without devices, set-user-ID and execution, attached nowhere yet.
/// Errors: unsupported when this kernel cannot; corrupt when it does not accept the image.
Result<Fd> mount_erofs(const Fd& image, const std::vector<const Fd*>& data, ImageBacking backing);

/// Whether `dir` lies on an EROFS.
bool is_erofs(const Fd& dir);

}  // namespace knarr::sys
