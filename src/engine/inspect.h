#pragma once
// All about one container in the shape of docker's API.

#include <string>

#include "engine/context.h"

namespace knarr::engine {

/// SHA-256 of "knarr network NAME": nobody makes them, so that each host's are the same.
inline constexpr std::string_view kHostNetworkId =
    "83d8d188630c61a587746d702559c186577de92b5934d8ff66a331aff2bb1847";
inline constexpr std::string_view kNoNetworkId =
    "bc51e9d44b157346dba39e778a3a34c2358bbd7404a6915c71ef5a37b511ef96";

/// One JSON object as `docker container inspect` has it; what knarr does not have is left out.
/// Errors: not_found, corrupt.
Result<std::string> inspect_container(const Context& context,
                                      const ContainerId& id,
                                      Sizes sizes = Sizes::left_out);

}  // namespace knarr::engine
