#pragma once
// An image's files before there is a container: for what has to be known about it (its users).
// A file that is where it seems to be, in the highest layer that says anything about it, is read
// there. For any other (links, deeper paths) the kernel puts the layers together in a mount that is
// attached nowhere, read-only and without devices, and gone with the value; all lookups stay inside
// it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bundle/rootfs.h"
#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::bundle {

class ImageView {
public:
    /// `lowers` as in OverlayRoot: highest layer first, at least one.
    explicit ImageView(std::vector<std::string> lowers) : lowers_(std::move(lowers)) {}

    /// A regular file's text; nothing when there is none of that name (or it is something else).
    /// Links are followed inside the image. Errors: limit_exceeded past `max` bytes.
    Result<std::optional<std::string>> read_file(std::string_view path, std::size_t max);

private:
    std::vector<std::string> lowers_;
    sys::Fd root_;  // of the mount; invalid until it is needed
};

}  // namespace knarr::bundle
