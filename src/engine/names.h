#pragma once
// The names that people give containers: unique, also among IDs.

#include <string>

#include "engine/context.h"
#include "platform/file.h"

namespace knarr::engine {

/// Held while a name is chosen, so that nobody else takes it meanwhile.
Result<sys::FileLock> lock_names(const std::string& data_root);
/// Errors: already_exists; invalid_argument for what is no name. Empty is fine: no name.
Result<> check_name(const Context& context, const std::string& name);

/// Gives a container made from an image another name.
/// Errors: those of check_name; unsupported for a container of a bundle, which has an ID alone.
Result<> rename_container(const Context& context,
                          const std::string& data_root,
                          const ContainerId& id,
                          const std::string& name);

}  // namespace knarr::engine
