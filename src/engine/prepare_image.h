#pragma once
// From a request for an image to all that is decided about its container, of which nothing is made
// yet: the image (stored, or pulled), its user, its volumes, the Bundle with safe defaults.

#include <string>
#include <vector>

#include "bundle/make.h"
#include "core/limits.h"
#include "engine/container_data.h"
#include "engine/container_volumes.h"
#include "image/pull.h"
#include "knarr/cgroup_manager.h"
#include "knarr/run.h"
#include "layer/stored.h"
#include "store/store.h"

namespace knarr::engine {

/// All that is decided about a container before anything of it is made.
struct Prepared {
    std::string id;
    std::string reference;
    image::Image image;
    bundle::Made made;
    NameTexts texts;
    layer::MountedLayers layers;  // for as long as we attend the container
    std::vector<WantedVolume> volumes;
};

/// What is decided, and refused, before anything is looked for.
/// Errors: invalid_argument; unsupported for a kind of isolation that is not built.
Result<> settle(CgroupManager manager, RunRequest& request);

/// The image is pulled as the request says, under `lease`, and its layers are mounted.
/// Errors: those of pulling; invalid_image; invalid_argument, unsupported, of the request.
Result<Prepared> prepare(const store::Store& store,
                         const store::Lease& lease,
                         const std::string& data_root,
                         RunRequest wish,
                         const Limits& limits,
                         const PullProgressFn& progress);

}  // namespace knarr::engine
