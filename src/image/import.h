#pragma once
// A root file system as a tar into the store, as an image of one layer.

#include <chrono>
#include <string>
#include <vector>

#include "core/limits.h"
#include "image/pull.h"
#include "knarr/image.h"
#include "store/store.h"

namespace knarr::image {

struct ImportRequest {
    std::string path = {};                  ///< a tar, also by gzip or zstd; empty: standard input
    std::string reference = {};             ///< its name; empty: it has none
    std::vector<std::string> changes = {};  ///< instructions of a Dockerfile: "CMD [\"sh\"]"
    std::string message = {};               ///< for its history
    std::string platform = {};              ///< "linux/arm64"; empty: the host's
    std::string snapshot_driver = {};       ///< as in PullOptions
    std::chrono::seconds timeout{};         ///< as in PullOptions
};

/// Errors: invalid_argument for the name and the changes; invalid_image for what is no tar;
/// those of pull_from.
Result<Image> import_image(const store::Store& store,
                           const store::Lease& lease,
                           const ImportRequest& request,
                           const Limits& limits,
                           const PullProgressFn& progress);

}  // namespace knarr::image
