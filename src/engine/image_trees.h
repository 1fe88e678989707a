#pragma once
// The root file systems of images beside each other, and as a directory of the host.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/limits.h"
#include "engine/changes.h"
#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::engine {

/// What `after` has otherwise than `before`: 'A' added, 'C' changed, 'D' deleted, by path, each
/// directory before what is in it. A file is changed when its type, owner, mode, extended
/// attributes or content are, not by its times; a directory also when something in it is. Both are
/// directories, and no link is followed.
/// Errors: limit_exceeded for a tree that is too deep, or where all that would be told, mostly
/// paths, takes more than `max_bytes`.
Result<std::vector<Change>> compare_trees(const sys::Fd& before,
                                          const sys::Fd& after,
                                          std::size_t max_bytes = kMaxChangesBytes);

/// What the stored image `name` has otherwise than the image `other`; without one, than itself
/// without its uppermost layer. Errors: as image_mounts.h.
Result<std::vector<Change>> image_changes(const std::string& data_root,
                                          std::string_view name,
                                          std::optional<std::string_view> other);

/// Copies the tree `from` into `to`, which must be empty and which nobody but its owner, who is us,
/// may write to. What fails leaves nothing in it. `directory` is for messages.
/// Errors: invalid_argument for another directory.
Result<> fill_rootfs(const sys::Fd& from, const sys::Fd& to, const std::string& directory);

/// Copies a stored image's root file system into a directory of the host, which is made when it is
/// missing. For root only. Errors: as fill_rootfs, and as image_mounts.h.
Result<> write_rootfs(const std::string& data_root,
                      std::string_view name,
                      const std::string& directory);

/// Writes a stored image's root file system, flattened, as a tar: as export_tree() of
/// engine/export.h does. For root only. Errors: as image_mounts.h; io. A file appears whole or not
/// at all.
Result<> export_image(const std::string& data_root, std::string_view name, const std::string& path);

}  // namespace knarr::engine
