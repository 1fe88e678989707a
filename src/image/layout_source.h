#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "image/file_tree.h"
#include "image/source.h"

namespace knarr::image {

/// An image in an OCI layout. `text` is "DIR[:TAG]"; without a tag the layout must hold one image.
/// It is stored as "localhost/DIRNAME:TAG" unless its own name is a whole reference.
/// Source: image-spec v1.1 image-layout.md.
Result<std::unique_ptr<Source>> open_layout_dir(std::string_view text);
/// The same in a tar archive, "FILE[:TAG]".
Result<std::unique_ptr<Source>> open_oci_archive(std::string_view text);

/// One image of a layout.
struct LayoutEntry {
    spec::Descriptor descriptor;
    std::string name = {};  ///< a canonical reference; empty: it has none
};
/// All images of a layout. A name without a registry is taken as local_reference has it; without a
/// `path` there is none. Errors: invalid_image; limit_exceeded.
Result<std::vector<LayoutEntry>> list_layout(const FileTree& tree, const std::string& path);
/// One of them, to be stored under `name`; empty: by its digest.
Result<std::unique_ptr<Source>> open_layout_entry(std::shared_ptr<const FileTree> tree,
                                                  const spec::Descriptor& entry,
                                                  const std::string& name);

/// "PATH[:REST]": paths of images hold no colon.
struct PathAndName {
    std::string path, name;
};
PathAndName split_path(std::string_view text);

/// The reference under which an image of that file and name is kept: the name itself when it has a
/// registry, else "localhost/STEM:NAME".
std::string local_reference(std::string_view path, std::string_view name);

}  // namespace knarr::image
