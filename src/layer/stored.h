#pragma once
// Layers that are stored, whichever driver made them: their roots for looking into, and for
// containers.
//
//   dir    layers/<hex>/{fs/..., meta, lock}
//   erofs  layers/<hex>/{fs/ (empty), data, image.erofs, meta, lock}
//
// An EROFS layer that a container uses is mounted on its fs/, once for all containers of the host:
// they share its page cache. Who uses it holds a shared lock on image.erofs; the last one unmounts.
// A kill can leave a mount behind, which the next one who is through with the layer, `image gc` or
// the layer's removal ends. Running containers are not touched by that: their overlay keeps the
// layer.

#include <map>
#include <string>
#include <vector>

#include "layer/info.h"
#include "platform/file.h"
#include "spec/image.h"
#include "store/store.h"

namespace knarr::layer {

inline constexpr const char* kDataFile = "data";
inline constexpr const char* kImageFile = "image.erofs";

/// Roots of layers as detached read-only mounts, each opened once: ".." ends at them, so that a
/// descriptor is no way out of a jail.
class LayerRoots {
public:
    explicit LayerRoots(const store::Store& store) : store_(store) {}
    /// Valid as long as this. Errors: image_not_found; unsupported where EROFS cannot be mounted.
    Result<const sys::Fd*> root(const spec::Digest& chain_id);

private:
    const store::Store& store_;
    std::map<spec::Digest, sys::Fd> roots_;
};

/// What one user of an image holds. The destructor lets go, and unmounts what nobody else uses.
class MountedLayers {
public:
    /// Sees to it that each layer of `chain` shows at its path (store.layer_path() + "/fs").
    /// Errors: those of lower_paths(); unsupported.
    static Result<MountedLayers> mount(const store::Store& store,
                                       const std::vector<spec::Digest>& chain);

    MountedLayers(MountedLayers&&) noexcept = default;
    MountedLayers& operator=(MountedLayers&&) = delete;
    MountedLayers(const MountedLayers&) = delete;
    MountedLayers& operator=(const MountedLayers&) = delete;
    ~MountedLayers();

    /// As lower_paths() has them.
    const std::vector<std::string>& lowers() const { return lowers_; }

private:
    struct Held {
        std::string path;  // where it is mounted
        sys::Fd image;     // with a shared lock
    };
    MountedLayers() = default;
    std::string data_root_;
    std::vector<std::string> lowers_;
    std::vector<Held> held_;
};

/// Unmounts those of these layers that nobody uses.
Result<> unmount_unused(const store::Store& store, const std::vector<spec::Digest>& layers);

/// Directories for an overlay's lower layers, highest first: of those layers of `chain` (lowest
/// first) that show. Errors: image_not_found for a layer that is not unpacked; limit_exceeded past
/// kMaxLayers.
Result<std::vector<std::string>> lower_paths(const store::Store& store,
                                             const std::vector<spec::Digest>& chain);

}  // namespace knarr::layer
