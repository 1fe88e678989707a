#pragma once
// Stored images: removed, unless somebody needs them.

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "image/pull.h"
#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

/// Who uses images: containers that exist.
struct ImageUse {
    /// The IDs of the containers that use the image.
    std::function<std::vector<std::string>(const Image&)> users = {};
    /// Whether a container, by its ID, runs.
    std::function<bool(const std::string&)> runs = {};
    /// Those that do not run need not hold an image up, and an ID may have several names.
    bool forced = false;
    /// Where the image is mounted on the host; empty: nowhere.
    std::function<std::string(const Image&)> mounted_at = {};
    /// Chain IDs that containers and mounts need, whatever image they came with.
    std::set<spec::Digest> layers = {};
};

/// Adds to `gone` what of a removed image is no longer stored: its ID, and its layers from the
/// uppermost by their chain IDs.
Result<> add_gone(const store::Store& store, const Image& image, std::vector<std::string>& gone);

/// "NAME@DIGEST" of the repositories of `removed` in which `left`, the same image's, has no tag.
std::vector<std::string> digests_without_tag(const std::vector<store::Ref>& removed,
                                             const std::vector<store::Ref>& left);

/// Removes a reference; with the last one of an image also what only that image needed. With the
/// last tag in a repository go references to it by digest, as with docker. By ID or digest, all its
/// references go, of which there may be several by force alone. Waits for no pull: what one needs
/// stays. Errors: image_not_found; image_in_use, naming the names, or the container or mount, when
/// the last reference would go.
Result<RemovedImage> remove_image(const store::Store& store,
                                  std::string_view text,
                                  const ImageUse& use);

}  // namespace knarr::image
