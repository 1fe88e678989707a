#pragma once
// bundle: what one container is to be, ready to be planned: its OCI configuration, its root file
// system and the kind of wall around it. Read from a directory (an OCI bundle) or made from an
// image's config and the caller's options with safe defaults.

#include <string>

#include "bundle/rootfs.h"
#include "knarr/types.h"
#include "spec/runtime_config.h"

namespace knarr::bundle {

struct Bundle {
    std::string directory;  // absolute; what state JSON reports and hooks receive
    spec::RuntimeConfig config;
    RootFs rootfs;
    Isolation isolation = Isolation::native;
};

}  // namespace knarr::bundle
