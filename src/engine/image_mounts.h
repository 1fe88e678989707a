#pragma once
// Images that are mounted on the host, read-only: DATA_ROOT/mounts/<64 hex of the image's ID>/ with
//   use       which layers it stands on, and how often it was mounted (JSON)
//   merged    where it is mounted
// What is mounted counts as used: neither `rmi` nor a collector takes its layers. A record whose
// mount is gone (a reboot, a kill) is removed by whoever sees it next. All of it is done with
// lock_containers(exclusive) held.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/files.h"
#include "knarr/result.h"
#include "platform/fd.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::engine {

using knarr::MountedImage;
using knarr::UnmountMode;

/// A mounted image, and the chain IDs of its layers, lowest first.
struct ImageMount {
    MountedImage seen;
    std::vector<spec::Digest> chain;
};

/// All that are mounted, by ID. Call with lock_containers(exclusive) held.
Result<std::vector<ImageMount>> mounts_in_use(const std::string& data_root);

/// Mounts a stored image's root file system, read-only; where. For root only. It stays until it is
/// unmounted as often, and its image stays as long. Errors: image_not_found; unsupported.
Result<std::string> mount_image(const std::string& data_root, std::string_view name);
/// Errors: unsupported, that "only root can WHAT", for anybody else.
Result<> refuse_ordinary_user(std::string_view what);
/// The root file system of an image as a mount that is nowhere yet, read-only, without devices and
/// set-user-ID programs. `lowers` are its mounted layers.
Result<sys::Fd> open_image_root(const std::vector<std::string>& lowers);
/// Its ID. Errors: wrong_state when it is not mounted; image_in_use when something is in use below
/// it.
Result<std::string> unmount_image(const std::string& data_root,
                                  std::string_view name,
                                  UnmountMode mode);
Result<std::vector<MountedImage>> mounted_images(const std::string& data_root);

}  // namespace knarr::engine
