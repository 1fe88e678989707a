#pragma once
// Layers that are stored, whichever driver made them: their roots for looking into, and for
// containers.
//
//   dir    layers/<hex>/{fs/..., meta, lock}
//   erofs  layers/<hex>/{fs/ (empty), data, image.erofs, meta, lock}; merged.h has what comes later
//
// An EROFS image that a container uses is mounted, once for all containers of the host, which share
// its page cache: that of all the container's layers on the highest one's merged/, or that of each
// layer on its fs/. Who uses one holds a shared lock on its file; the last one unmounts. A kill can
// leave a mount behind, which the next one who is through with the image, `image gc` or the layer's
// removal ends. Running containers are not touched by that: their overlay keeps the image.

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

/// A file of a layer: its path below Store::layers_dir(), and open for reading.
std::string layer_file(const spec::Digest& chain_id, const char* name);
Result<sys::Fd> open_layer_file(const store::Store& store,
                                const spec::Digest& chain_id,
                                const char* name);

/// How layers show for a container.
enum class Stacking : std::uint8_t {
    best,  ///< together where that can be, else each on its own
    each,  ///< each on its own, at store.layer_path() + "/fs"
};

struct StackedImage;

/// What one user of an image holds. The destructor lets go, and unmounts what nobody else uses.
class MountedLayers {
public:
    /// Sees to it that the layers of `chain` show at lowers(). Errors: those of lower_paths();
    /// unsupported.
    static Result<MountedLayers> mount(const store::Store& store,
                                       const std::vector<spec::Digest>& chain,
                                       Stacking stacking = Stacking::best);

    MountedLayers(MountedLayers&&) noexcept = default;
    MountedLayers& operator=(MountedLayers&&) = delete;
    MountedLayers(const MountedLayers&) = delete;
    MountedLayers& operator=(const MountedLayers&) = delete;
    ~MountedLayers();

    /// Directories for an overlay's lower layers, highest first.
    const std::vector<std::string>& lowers() const { return lowers_; }

private:
    struct Held {
        std::string path;  // where it is mounted
        sys::Fd image;     // with a shared lock
    };
    MountedLayers() = default;
    static Result<MountedLayers> hold(const store::Store& store,
                                      const std::vector<StackedImage>& images);
    std::string data_root_;
    std::vector<std::string> lowers_;
    std::vector<Held> held_;
};

/// Unmounts what nobody uses of these layers, alone or together with those below them.
Result<> unmount_unused(const store::Store& store, const std::vector<spec::Digest>& layers);
/// Whether the layers of `chain` are mounted, together or any of them alone.
Result<bool> are_mounted(const std::string& data_root, const std::vector<spec::Digest>& chain);
/// Forgets the merged image with this layer on top. Who uses it goes on; the next one makes it
/// anew.
Result<> drop_merged(const store::Store& store, const spec::Digest& chain_id);

/// Where the layers of `chain` (lowest first) show while a container uses them, highest first: one
/// directory where they are merged, else one of each that shows. Errors: image_not_found for a
/// layer that is not unpacked; limit_exceeded past kMaxLayers.
Result<std::vector<std::string>> lower_paths(const store::Store& store,
                                             const std::vector<spec::Digest>& chain);

}  // namespace knarr::layer
