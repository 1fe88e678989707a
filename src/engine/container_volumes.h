#pragma once
// The volumes of a container in the making: host directories, named volumes, and those that it has
// for itself.

#include <functional>
#include <string>
#include <vector>

#include "knarr/run.h"
#include "platform/fd.h"
#include "spec/image.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

/// A volume that a container is to have.
struct WantedVolume {
    std::string name, target;
    std::map<std::string, std::string> labels;
    bool anonymous = false;  // for this container alone
    bool copy = true;        // an empty one gets what the image has there
};

/// Host paths as absolute ones without links; they must be there. Names of volumes are looked at.
/// Errors: invalid_argument.
Result<> resolve_sources(std::vector<VolumeRequest>& volumes);

/// Turns volumes into host directories to be mounted, and adds an anonymous one for each that the
/// image declares and the caller puts nothing on. Nothing is made. `data_root` is absolute.
/// Errors: invalid_image, limit_exceeded for what no image may declare.
Result<std::vector<WantedVolume>> plan_volumes(const std::string& data_root,
                                               RunRequest& request,
                                               const spec::ImageRunConfig& image);

bool has_option(const spec::Mount& mount, std::string_view option);
bool is_writable(const spec::Mount& mount);
/// Whether a mount of a container with this data directory is one of its volumes or host
/// directories, and not of knarr's own, such as /etc/hosts.
bool is_asked_for(const spec::Mount& mount, const std::string& data_dir);

/// Makes those that are missing and fills those that are empty. Called when the container's record
/// and its ContainerUse name them. `root` opens the image's root file system.
Result<> make_volumes(const std::string& data_root,
                      const std::vector<WantedVolume>& wanted,
                      const std::function<Result<sys::Fd>()>& root);

}  // namespace knarr::engine
