#include "layer/stored.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>

#include "core/fault.h"
#include "core/limits.h"
#include "core/text.h"
#include "layer/driver.h"
#include "layer/merged.h"
#include "layer/staged.h"
#include "platform/disk.h"
#include "platform/host_mount.h"
#include "platform/mount.h"

namespace knarr::layer {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
constexpr const char* kLayerDir = "fs";
/// In the data root: held while mounts come and go.
constexpr const char* kMountLock = "mounts.lock";

}  // namespace

/// An EROFS image and where it is mounted: a layer's own, or the merged one of all below it, too.
struct StackedImage {
    spec::Digest layer;              // in whose directory it is
    std::vector<spec::Digest> data;  // whose tars are its devices
    const char* file = kImageFile;
    const char* place = kLayerDir;
};

namespace {

StackedImage own_image(const spec::Digest& chain_id) {
    return {.layer = chain_id, .data = {chain_id}};
}

StackedImage merged_image(const std::vector<spec::Digest>& chain) {
    return {.layer = chain.back(), .data = chain, .file = kMergedFile, .place = kMergedDir};
}

std::string path_of(const store::Store& store, const StackedImage& image) {
    return fmt::format("{}/{}", store.layer_path(image.layer), image.place);
}

Result<sys::Fd> mount_image(const store::Store& store,
                            const StackedImage& image,
                            const sys::Fd& file) {
    std::vector<sys::Fd> data;
    data.reserve(image.data.size());
    for (const spec::Digest& chain_id : image.data) {
        data.push_back(KNARR_TRY(open_layer_file(store, chain_id, kDataFile)));
    }
    std::vector<const sys::Fd*> devices;
    devices.reserve(data.size());
    for (const sys::Fd& one : data) {
        devices.push_back(&one);
    }
    Result<sys::Fd> mount = sys::mount_erofs(file, devices, KNARR_TRY(erofs_backing()));
    if (!mount) {
        return fail(std::move(mount)
                        .error()
                        .within(fmt::format("mount layer {}", image.layer.text()))
                        .advise("knarr --snapshot-driver dir pull keeps layers as directories; "
                                "remove the image before"));
    }
    return mount;
}

Result<bool> is_mounted(const store::Store& store, const StackedImage& image) {
    return sys::is_erofs(KNARR_TRY(sys::open_at(
        store.layers_dir(), layer_file(image.layer, image.place), O_PATH | O_DIRECTORY)));
}

/// Drops a shared lock; unmounts if it was the last. With kMountLock held.
Result<> let_go(const sys::Fd& image, const std::string& path) {
    if (KNARR_TRY(sys::stat_of(image)).st_nlink == 0) {
        return {};  // dropped, and its mount with it: what is there now is another one's
    }
    if (KNARR_TRY(sys::try_lock(image))) {
        KNARR_TRY(sys::detach_if_mounted(path));
    }
    return {};
}

Result<std::vector<LayerInfo>> read_infos(const store::Store& store,
                                          const std::vector<spec::Digest>& chain) {
    if (chain.size() > limits::kMaxLayers) {
        return fail(Errc::limit_exceeded,
                    "the image has {} layers, at most {} are allowed",
                    chain.size(),
                    limits::kMaxLayers);
    }
    std::vector<LayerInfo> infos;
    infos.reserve(chain.size());
    for (const spec::Digest& chain_id : chain) {
        infos.push_back(KNARR_TRY(read_layer_info(store, chain_id)));
    }
    return infos;
}

std::vector<std::string> lowers_of(const store::Store& store,
                                   const std::vector<spec::Digest>& chain,
                                   const std::vector<LayerInfo>& infos) {
    std::vector<std::string> lowers;
    for (std::size_t i = chain.size(); i-- > 0;) {
        lowers.push_back(path_of(store, own_image(chain[i])));
        // overlayfs merges the roots of all its layers, opaque or not: a layer whose "/" is opaque
        // ends the stack here.
        if (std::ranges::find(infos[i].opaque, "") != infos[i].opaque.end()) {
            break;
        }
    }
    return lowers;
}

Result<sys::FileLock> lock_mounts(const std::string& data_root) {
    const sys::Fd dir = KNARR_TRY(sys::open_path(data_root, kDirectory));
    return sys::FileLock::acquire(dir, kMountLock, sys::FileLock::Kind::exclusive);
}

/// The image of all layers of `chain`, where they are to be mounted as one; made when it is
/// missing. It saves time and nothing else: what stands in its way stands in no container's.
std::optional<StackedImage> find_merged(const store::Store& store,
                                        const std::vector<spec::Digest>& chain) {
    if (chain.size() < 2 || chain.size() > limits::kMaxLayers) {
        return std::nullopt;
    }
    const auto there = sys::stat_at(store.layers_dir(), layer_file(chain.back(), kMergedFile));
    if (!there || !*there) {
        const auto infos = read_infos(store, chain);
        const auto bytes = image_bytes_of(store, chain);
        if (!infos || !bytes || !are_mergeable(*infos, *bytes) || !make_merged(store, chain)) {
            return std::nullopt;
        }
    }
    return merged_image(chain);
}

}  // namespace

std::string layer_file(const spec::Digest& chain_id, const char* name) {
    return fmt::format("{}/{}", chain_id.hex(), name);
}

Result<sys::Fd> open_layer_file(const store::Store& store,
                                const spec::Digest& chain_id,
                                const char* name) {
    return sys::open_at(store.layers_dir(), layer_file(chain_id, name), O_RDONLY | O_NOFOLLOW);
}

Result<const sys::Fd*> LayerRoots::root(const spec::Digest& chain_id) {
    if (const auto known = roots_.find(chain_id); known != roots_.end()) {
        return &known->second;
    }
    const LayerInfo info = KNARR_TRY(read_layer_info(store_, chain_id));
    sys::Fd mount;
    if (info.driver == Driver::erofs) {
        const sys::Fd file = KNARR_TRY(open_layer_file(store_, chain_id, kImageFile));
        mount = KNARR_TRY(mount_image(store_, own_image(chain_id), file));
    } else {
        const sys::Fd dir = KNARR_TRY(
            sys::open_at(store_.layers_dir(), layer_file(chain_id, kLayerDir), kDirectory));
        mount = KNARR_TRY(jail_root(dir, MOUNT_ATTR_RDONLY));
    }
    return &roots_.insert_or_assign(chain_id, std::move(mount)).first->second;
}

Result<MountedLayers> MountedLayers::mount(const store::Store& store,
                                           const std::vector<spec::Digest>& chain,
                                           Stacking stacking) {
    if (const auto merged = stacking == Stacking::best ? find_merged(store, chain) : std::nullopt) {
        auto out = hold(store, {*merged});
        if (out) {
            out->lowers_ = {path_of(store, *merged)};
            return out;
        }
        if (out.error().code == Errc::corrupt) {
            KNARR_TRY(drop_merged(store, chain.back()));
        }
    }
    const std::vector<LayerInfo> infos = KNARR_TRY(read_infos(store, chain));
    std::vector<StackedImage> images;
    for (std::size_t i = 0; i < infos.size(); ++i) {
        if (infos[i].driver == Driver::erofs) {
            images.push_back(own_image(chain[i]));
        }
    }
    MountedLayers out = KNARR_TRY(hold(store, images));
    out.lowers_ = lowers_of(store, chain, infos);
    return out;
}

Result<MountedLayers> MountedLayers::hold(const store::Store& store,
                                          const std::vector<StackedImage>& images) {
    MountedLayers out;
    out.data_root_ = store.root();
    std::vector<std::size_t> missing;
    for (const StackedImage& image : images) {
        sys::Fd file = KNARR_TRY(open_layer_file(store, image.layer, image.file));
        KNARR_TRY(sys::lock_shared(file));
        if (!KNARR_TRY(is_mounted(store, image))) {
            missing.push_back(out.held_.size());
        }
        out.held_.push_back({.path = path_of(store, image), .image = std::move(file)});
    }
    if (missing.empty()) {
        return out;
    }
    const sys::FileLock lock = KNARR_TRY(lock_mounts(out.data_root_));
    for (const std::size_t i : missing) {
        const StackedImage& image = images[i];
        if (KNARR_TRY(is_mounted(store, image))) {
            continue;  // by another process meanwhile, or the same layer twice
        }
        const sys::Fd target = KNARR_TRY(sys::open_at(
            store.layers_dir(), layer_file(image.layer, image.place), O_PATH | O_DIRECTORY));
        const sys::Fd mount = KNARR_TRY(mount_image(store, image, out.held_[i].image));
        KNARR_TRY(sys::attach_mount(mount, target), "mount layer {}", image.layer.text());
        KNARR_TRY(fault_point("layer.mount"));
    }
    return out;
}

MountedLayers::~MountedLayers() {
    if (held_.empty()) {
        return;
    }
    // What stays mounted by a failure here harms nothing: see the header.
    const auto lock = lock_mounts(data_root_);
    for (const Held& held : held_) {
        if (lock) {
            (void)let_go(held.image, held.path);
        }
    }
}

Result<> unmount_unused(const store::Store& store, const std::vector<spec::Digest>& layers) {
    const sys::FileLock lock = KNARR_TRY(lock_mounts(store.root()));
    for (const spec::Digest& chain_id : layers) {
        for (const StackedImage& image : {own_image(chain_id), merged_image({chain_id})}) {
            const std::string path = path_of(store, image);
            if (!KNARR_TRY(sys::is_mount_point(path))) {
                continue;
            }
            if (const auto file = open_layer_file(store, chain_id, image.file)) {
                KNARR_TRY(let_go(*file, path));
            }
        }
    }
    return {};
}

Result<bool> are_mounted(const std::string& data_root, const std::vector<spec::Digest>& chain) {
    const auto is_mounted_at = [&](const spec::Digest& chain_id, const char* place) {
        return sys::is_mount_point(
            fmt::format("{}/layers/{}/{}", data_root, chain_id.hex(), place));
    };
    for (const spec::Digest& chain_id : chain) {
        if (KNARR_TRY(is_mounted_at(chain_id, kLayerDir))) {
            return true;
        }
    }
    return chain.empty() ? Result<bool>(false) : is_mounted_at(chain.back(), kMergedDir);
}

Result<> drop_merged(const store::Store& store, const spec::Digest& chain_id) {
    const sys::FileLock lock = KNARR_TRY(lock_mounts(store.root()));
    KNARR_TRY(sys::unlink_at(store.layers_dir(), layer_file(chain_id, kMergedFile)));
    return sys::detach_if_mounted(path_of(store, merged_image({chain_id})));
}

Result<std::vector<std::string>> lower_paths(const store::Store& store,
                                             const std::vector<spec::Digest>& chain) {
    if (!chain.empty() && KNARR_TRY(merged_bytes(store, chain.back())) != 0) {
        return std::vector{path_of(store, merged_image(chain))};
    }
    return lowers_of(store, chain, KNARR_TRY(read_infos(store, chain)));
}

}  // namespace knarr::layer
