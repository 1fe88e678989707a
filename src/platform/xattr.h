#pragma once
// Extended attributes, by descriptor.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/fd.h"

namespace knarr::sys {

/// The mark of a directory that hides what lower layers have in it. Source: kernel overlayfs.rst.
inline constexpr const char* kOverlayOpaque = "trusted.overlay.opaque";

/// fsetxattr(2). Errors: unsupported where the file system keeps no such attributes.
Result<> set_xattr(const Fd& fd, const std::string& name, std::string_view value);
/// The same for an entry that cannot be opened (a link, a device). Kernels before 6.13 have no call
/// for that by descriptor: the working directory is changed for a moment, so only single-threaded
/// programs may call this.
Result<> set_xattr_at(const Fd& dir,
                      const std::string& entry,
                      const std::string& name,
                      std::string_view value);
/// Nothing when the attribute is not there.
Result<std::optional<std::string>> get_xattr(const Fd& fd, const std::string& name);
/// All names and values, sorted by name; at most 1 MiB. Empty where there are none.
Result<std::vector<std::pair<std::string, std::string>>> list_xattrs(const Fd& fd);

}  // namespace knarr::sys
