#pragma once
// Images as files: the OCI image layout and `docker save`'s archives. The index.json of a layout
// is read with decode_manifest_or_index().

#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr::spec {

/// Checks the file `oci-layout`, whose imageLayoutVersion must be 1.x.
/// Errors: invalid_image. Source: image-spec v1.1 image-layout.md.
Result<> check_oci_layout(std::string_view json);

/// One image of a docker-archive.
struct DockerArchiveImage {
    std::string config;                  // the name of a tar entry
    std::vector<std::string> repo_tags;  // "busybox:latest"; may be empty
    std::vector<std::string> layers;     // names of tar entries, lowest first
};

/// Decodes the manifest.json of a docker-archive. The names are those of entries of the archive
/// itself: relative, without "..".
/// Errors: invalid_image with the JSON path; limit_exceeded past kMaxLayers.
Result<std::vector<DockerArchiveImage>> decode_docker_archive(std::string_view json);

}  // namespace knarr::spec
