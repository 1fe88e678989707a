#pragma once
// The verbs that docker alone has.

#include "cli/verb.h"

namespace knarr::cli {

extern const Verb kHealthcheck, kContainerExists, kImageExists, kVolumeExists, kNetworkExists;
extern const Verb kTop, kPort, kDiff, kCp, kContainerPrune, kContainerList, kContainerInspect,
    kSystemDf, kSystem, kBuilder, kNetwork, kDockerContext, kPlugin, kManifest;

}  // namespace knarr::cli
