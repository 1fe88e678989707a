#pragma once
// linux.resources alone, as `update --resources FILE` has it.

#include "spec/runtime_config.h"

namespace knarr::spec {

/// Decodes the object; `name` is what errors call it. Errors: invalid_config.
Result<Resources> decode_resources(std::string_view json, std::string_view name);

}  // namespace knarr::spec
