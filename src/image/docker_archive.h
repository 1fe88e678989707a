#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <tuple>
#include <vector>

#include <sys/types.h>

#include "image/file_tree.h"
#include "image/source.h"
#include "spec/oci_layout.h"

namespace knarr::image {

/// An image that `docker save` wrote. `text` is "FILE[:REFERENCE]"; without a reference the archive
/// must hold one image. Its manifest is made here: the layers are named by file, not by digest. A
/// plain layer's digest is the one in the configuration, a compressed one is read once to learn it.
/// Source: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
Result<std::unique_ptr<Source>> open_docker_archive(std::string_view text);

/// One image of such an archive.
struct DockerEntry {
    spec::DockerArchiveImage image;
    std::vector<std::string> names = {};  ///< canonical references
};
/// All its images. Errors: invalid_image; limit_exceeded.
Result<std::vector<DockerEntry>> list_docker_archive(const FileTree& tree);
/// The digests of pieces of files, each read once, however many images of an archive have it.
class SliceDigests {
public:
    Result<spec::Digest> of(const FileSlice& slice);

private:
    using Place = std::tuple<dev_t, ino_t, std::uint64_t, std::uint64_t>;
    std::map<Place, spec::Digest> known_;
};

/// One of them, to be stored under `name`; empty: by its digest.
Result<std::unique_ptr<Source>> open_docker_entry(std::shared_ptr<const FileTree> tree,
                                                  const spec::DockerArchiveImage& image,
                                                  const std::string& name,
                                                  SliceDigests& digests);

}  // namespace knarr::image
