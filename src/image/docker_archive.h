#pragma once

#include <memory>
#include <string_view>
#include <vector>

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
/// One of them, to be stored under `name`; empty: by its digest.
Result<std::unique_ptr<Source>> open_docker_entry(std::unique_ptr<FileTree> tree,
                                                  const spec::DockerArchiveImage& image,
                                                  const std::string& name);

}  // namespace knarr::image
