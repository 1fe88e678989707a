#pragma once
// All about one container in the shape of docker's API.

#include <string>

#include "engine/context.h"

namespace knarr::engine {

/// One JSON object as `docker container inspect` has it; what knarr does not have is left out.
/// Errors: not_found, corrupt.
Result<std::string> inspect_container(const Context& context,
                                      const ContainerId& id,
                                      Sizes sizes = Sizes::left_out);

}  // namespace knarr::engine
