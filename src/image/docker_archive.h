#pragma once

#include <memory>
#include <string_view>

#include "image/source.h"

namespace knarr::image {

/// An image that `docker save` wrote. `text` is "FILE[:REFERENCE]"; without a reference the archive
/// must hold one image. Its manifest is made here: the layers are named by file, not by digest. A
/// plain layer's digest is the one in the configuration, a compressed one is read once to learn it.
/// Source: Docker image specification v1.2, "Combined Image JSON + Filesystem Changeset Format".
Result<std::unique_ptr<Source>> open_docker_archive(std::string_view text);

}  // namespace knarr::image
