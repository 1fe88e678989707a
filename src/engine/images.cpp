#include "engine/images.h"

#include <cerrno>
#include <optional>
#include <vector>

#include "engine/container_data.h"
#include "engine/image_mounts.h"
#include "engine/live.h"
#include "engine/owner_values.h"
#include "image/remove.h"
#include "image/upkeep.h"
#include "layer/stored.h"
#include "store/disk_trouble.h"

namespace knarr::engine {

namespace {

/// The store, and what containers need of it as long as this lives: no container can begin to use
/// an image without being seen, by its directory or by its lease.
struct Upkeep {
    store::Store store;
    std::optional<sys::FileLock> lock;
    image::ImageUse use;
};

Result<Upkeep> open_upkeep(const std::string& data_root, Doing removal_of_leftovers) {
    auto store = KNARR_TRY(store::Store::open(data_root));
    std::optional<sys::FileLock> lock;
    auto locked = lock_containers(data_root, sys::FileLock::Kind::exclusive);
    if (locked) {
        lock.emplace(*std::move(locked));
    } else if (removal_of_leftovers == Doing::it || locked.error().sys_errno != EROFS) {
        return fail(std::move(locked).error());
    }  // else nobody changes anything there
    std::vector<ContainerUse> uses = KNARR_TRY(images_in_use(data_root, removal_of_leftovers));
    image::ImageUse use;
    for (const ContainerUse& one : uses) {
        use.layers.insert(one.chain.begin(), one.chain.end());
        if (!one.damage.empty()) {
            const auto all = KNARR_TRY(store.list_layers());
            use.layers.insert(all.begin(), all.end());
        }
    }
    std::vector<ImageMount> mounts = KNARR_TRY(mounts_in_use(data_root));
    for (const ImageMount& mount : mounts) {
        use.layers.insert(mount.chain.begin(), mount.chain.end());
    }
    use.mounted_at = [mounts = std::move(mounts)](const image::Image& image) {
        for (const ImageMount& mount : mounts) {
            if (mount.seen.id == image.id.text()) {
                return mount.seen.path;
            }
        }
        return std::string();
    };
    use.users = [uses = std::move(uses)](const image::Image& image) {
        std::vector<std::string> users;
        for (const ContainerUse& one : uses) {
            if (one.image_id == image.id.text() || !one.damage.empty()) {
                users.push_back(one.container);
            }
        }
        return users;
    };
    return Upkeep{.store = std::move(store), .lock = std::move(lock), .use = std::move(use)};
}

}  // namespace

Result<RemovedImage> remove_image(const Context& context,
                                  const std::string& data_root,
                                  std::string_view text,
                                  RemoveMode mode) {
    Upkeep upkeep = KNARR_TRY(open_upkeep(data_root, Doing::it));
    upkeep.use.forced = mode == RemoveMode::force;
    upkeep.use.runs = [&](const std::string& container) {
        const auto id = ContainerId::parse(container);
        const auto seen = id ? look(context, *id) : fail(id.error());
        return !seen || (*seen && (*seen)->live.process.valid());
    };
    return image::remove_image(upkeep.store, text, upkeep.use);
}

Result<std::string> import_image(const std::string& data_root,
                                 const image::ImportRequest& request,
                                 const Limits& limits,
                                 const PullProgressFn& progress) {
    const auto import = [&](const PullOptions&, const PullProgressFn& tell) -> Result<std::string> {
        const auto store = KNARR_TRY(store::Store::open(data_root));
        const store::Lease lease = KNARR_TRY(store.lease());
        const auto image = KNARR_TRY(
            store::about_disk(image::import_image(store, lease, request, limits, tell), data_root));
        return image.id.text();
    };
    return transfer_as_owner<std::string>(data_root, {}, progress, import);
}

Result<RemovedGarbage> collect_garbage(const std::string& data_root) {
    const Upkeep upkeep = KNARR_TRY(open_upkeep(data_root, Doing::it));
    const auto collected = KNARR_TRY(upkeep.store.collect(upkeep.use.layers));
    // What a killed process left mounted.
    const auto layers = KNARR_TRY(upkeep.store.list_layers());
    KNARR_TRY(layer::unmount_unused(upkeep.store, layers));
    return RemovedGarbage{.blobs = collected.blobs,
                          .layers = collected.layers,
                          .quarantined = collected.quarantined,
                          .bytes = collected.bytes};
}

Result<PrunedImages> prune_images(const std::string& data_root, const PruneRequest& request) {
    const Upkeep upkeep = KNARR_TRY(open_upkeep(data_root, Doing::it));
    return image::prune_images(upkeep.store, request, upkeep.use);
}

Result<StoreUsage> image_usage(const std::string& data_root) {
    const Upkeep upkeep = KNARR_TRY(open_upkeep(data_root, Doing::nothing));
    return image::image_usage(upkeep.store, upkeep.use);
}

}  // namespace knarr::engine
