#pragma once

#include <string>

#include "bundle/bundle.h"

namespace knarr::bundle {

/// Reads an OCI bundle: DIRECTORY/config.json and the root file system that it names. `directory`
/// is an operator's path, absolute or relative to the current directory; Bundle::directory is its
/// absolute form without links. The isolation stays native: the caller's option decides it.
/// `config` names another file than the bundle's config.json, relative to the current directory.
///
/// Errors: invalid_config when the directory or config.json is missing, too big or wrong (with the
/// JSON path); missing_rootfs when root.path is no directory.
/// Source: runtime-spec bundle.md, config.md "Root".
Result<Bundle> read_bundle(const std::string& directory, const std::string& config = {});

}  // namespace knarr::bundle
