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
inline constexpr const char* kUserOverlayOpaque = "user.overlay.opaque";
/// Whether our overlays keep their marks in attributes that users may set, the option "userxattr":
/// those of ordinary users, in their user namespaces. Source: kernel overlayfs.rst "User xattr".
bool has_user_overlays();
/// The one of both marks that ours have.
const char* overlay_opaque();
/// Whether an attribute is overlayfs' own.
bool is_overlay_xattr(std::string_view name);

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
