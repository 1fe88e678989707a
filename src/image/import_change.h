#pragma once

#include <string_view>

#include "spec/image.h"

namespace knarr::image {

/// Applies one instruction of a Dockerfile to an image's configuration, as `docker import --change`
/// takes them: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR, also spelled
/// "CMD=...". Errors: invalid_argument, naming the instruction.
Result<> apply_change(std::string_view instruction, spec::ImageRunConfig& config);

}  // namespace knarr::image
