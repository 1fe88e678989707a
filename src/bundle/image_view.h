#pragma once
// An image's files before there is a container: for what has to be known about it (its users). The
// layers are put together by the kernel in a mount that is attached nowhere, read-only and without
// devices, and gone with the value; all lookups stay inside it.

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
    static Result<ImageView> open(const std::vector<std::string>& lowers);

    /// A regular file's text; nothing when there is none of that name (or it is something else).
    /// Links are followed inside the image. Errors: limit_exceeded past `max` bytes.
    Result<std::optional<std::string>> read_file(std::string_view path, std::size_t max) const;

private:
    explicit ImageView(sys::Fd root) : root_(std::move(root)) {}
    sys::Fd root_;
};

}  // namespace knarr::bundle
