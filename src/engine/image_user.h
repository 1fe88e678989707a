#pragma once
// Whose the program of an image is, by the image's own /etc/passwd and /etc/group.

#include <string>
#include <vector>

#include "bundle/passwd.h"
#include "knarr/result.h"
#include "knarr/run.h"
#include "spec/image.h"

namespace knarr::engine {

/// The user that the request or else the image names, with the groups of both.
/// Errors: invalid_argument, of the request; invalid_image, of the image.
Result<bundle::ResolvedUser> find_user(const std::vector<std::string>& lowers,
                                       const RunRequest& request,
                                       const spec::ImageConfig& image);

}  // namespace knarr::engine
