#include "layer/stored.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>

#include "core/fault.h"
#include "core/limits.h"
#include "core/text.h"
#include "layer/driver.h"
#include "layer/staged.h"
#include "platform/disk.h"
#include "platform/host_mount.h"
#include "platform/mount.h"

namespace knarr::layer {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
/// In the data root: held while mounts come and go.
constexpr const char* kMountLock = "mounts.lock";

std::string file_of(const spec::Digest& chain_id, const char* name) {
    return fmt::format("{}/{}", chain_id.hex(), name);
}

Result<sys::Fd> open_file(const sys::Fd& layers, const spec::Digest& chain_id, const char* name) {
    return sys::open_at(layers, file_of(chain_id, name), O_RDONLY | O_NOFOLLOW);
}

Result<sys::Fd> mount_layer(const sys::Fd& layers, const spec::Digest& chain_id) {
    const sys::Fd image = KNARR_TRY(open_file(layers, chain_id, kImageFile));
    const sys::Fd data = KNARR_TRY(open_file(layers, chain_id, kDataFile));
    Result<sys::Fd> mount = sys::mount_erofs(image, data, KNARR_TRY(erofs_backing()));
    if (!mount) {
        return fail(std::move(mount)
                        .error()
                        .within(fmt::format("mount layer {}", chain_id.text()))
                        .advise("knarr --snapshot-driver dir pull keeps layers as directories; "
                                "remove the image before"));
    }
    return mount;
}

Result<bool> is_mounted(const sys::Fd& layers, const spec::Digest& chain_id) {
    return sys::is_erofs(
        KNARR_TRY(sys::open_at(layers, file_of(chain_id, "fs"), O_PATH | O_DIRECTORY)));
}

/// Drops a shared lock; unmounts if it was the last. With kMountLock held.
Result<> let_go(const sys::Fd& image, const std::string& path) {
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
        lowers.push_back(store.layer_path(chain[i]) + "/fs");
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

}  // namespace

Result<const sys::Fd*> LayerRoots::root(const spec::Digest& chain_id) {
    if (const auto known = roots_.find(chain_id); known != roots_.end()) {
        return &known->second;
    }
    const LayerInfo info = KNARR_TRY(read_layer_info(store_, chain_id));
    sys::Fd mount;
    if (info.driver == Driver::erofs) {
        mount = KNARR_TRY(mount_layer(store_.layers_dir(), chain_id));
    } else {
        const sys::Fd dir =
            KNARR_TRY(sys::open_at(store_.layers_dir(), file_of(chain_id, "fs"), kDirectory));
        mount = KNARR_TRY(jail_root(dir, MOUNT_ATTR_RDONLY));
    }
    return &roots_.insert_or_assign(chain_id, std::move(mount)).first->second;
}

Result<MountedLayers> MountedLayers::mount(const store::Store& store,
                                           const std::vector<spec::Digest>& chain) {
    const std::vector<LayerInfo> infos = KNARR_TRY(read_infos(store, chain));
    MountedLayers out;
    out.lowers_ = lowers_of(store, chain, infos);
    out.data_root_ = store.root();
    const sys::Fd& layers = store.layers_dir();
    std::vector<const spec::Digest*> missing;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const spec::Digest& chain_id = chain[i];
        if (infos[i].driver != Driver::erofs) {
            continue;
        }
        sys::Fd image = KNARR_TRY(open_file(layers, chain_id, kImageFile));
        KNARR_TRY(sys::lock_shared(image));
        out.held_.push_back(
            {.path = store.layer_path(chain_id) + "/fs", .image = std::move(image)});
        if (!KNARR_TRY(is_mounted(layers, chain_id))) {
            missing.push_back(&chain_id);
        }
    }
    if (missing.empty()) {
        return out;
    }
    const sys::FileLock lock = KNARR_TRY(lock_mounts(out.data_root_));
    for (const spec::Digest* chain_id : missing) {
        if (KNARR_TRY(is_mounted(layers, *chain_id))) {
            continue;  // by another process meanwhile, or the same layer twice
        }
        const sys::Fd target =
            KNARR_TRY(sys::open_at(layers, file_of(*chain_id, "fs"), O_PATH | O_DIRECTORY));
        const sys::Fd layer = KNARR_TRY(mount_layer(layers, *chain_id));
        KNARR_TRY(sys::attach_mount(layer, target), "mount layer {}", chain_id->text());
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
        const auto image = open_file(store.layers_dir(), chain_id, kImageFile);
        if (image) {
            KNARR_TRY(let_go(*image, store.layer_path(chain_id) + "/fs"));
        }
    }
    return {};
}

Result<std::vector<std::string>> lower_paths(const store::Store& store,
                                             const std::vector<spec::Digest>& chain) {
    return lowers_of(store, chain, KNARR_TRY(read_infos(store, chain)));
}

}  // namespace knarr::layer
