// The methods of Engine that are about images.

#include "engine/context.h"
#include "engine/images.h"
#include "engine/owner_values.h"
#include "engine/policy.h"
#include "engine/run_image.h"
#include "image/image_list.h"
#include "image/load.h"
#include "image/login.h"
#include "image/names.h"
#include "image/pull.h"
#include "image/push.h"
#include "image/remote.h"
#include "image/save.h"
#include "image/upkeep.h"
#include "knarr/engine.h"
#include "store/disk_trouble.h"
#include "store/store.h"

namespace knarr {

Result<int> Engine::run_image(const RunRequest& request, const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    return engine::run_image(engine::context_of(*root_, options_),
                             options_.data_root,
                             engine::with_driver(request, options_),
                             limits,
                             progress);
}

Result<std::string> Engine::pull_image(const std::string& name,
                                       const PullOptions& options,
                                       const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    const auto pull = [&](const PullOptions& own,
                          const PullProgressFn& tell) -> Result<std::string> {
        const auto store = KNARR_TRY(store::Store::open(options_.data_root));
        const store::Lease lease = KNARR_TRY(store.lease());
        const auto image = KNARR_TRY(image::pull_image(store, lease, name, own, limits, tell));
        return image.id.text();
    };
    return engine::transfer_as_owner<std::string>(
        options_.data_root, engine::with_driver(options, options_), progress, pull);
}

Result<PushedImage> Engine::push_image(const PushRequest& request,
                                       const PullProgressFn& progress) const {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    const store::Lease lease = KNARR_TRY(store.lease());
    return image::push_image(store, lease, request, progress);
}

Result<std::vector<ImageSummary>> Engine::images() const {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return image::list_images(store);
}

Result<std::string> Engine::inspect_image(std::string_view name) const {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return image::inspect_image(store, name);
}

Result<RemovedImage> Engine::remove_image(std::string_view name, RemoveMode mode) {
    return engine::value_as_owner<RemovedImage>(options_.data_root, [&] {
        return store::about_disk(
            engine::remove_image(
                engine::context_of(*root_, options_), options_.data_root, name, mode),
            options_.data_root);
    });
}

Result<std::string> Engine::tag_image(std::string_view name, std::string_view new_name) {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return store::about_disk(image::tag_image(store, name, new_name), options_.data_root);
}

Result<std::vector<std::string>> Engine::untag_image(std::string_view name,
                                                     const std::vector<std::string>& names) {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return store::about_disk(image::untag_image(store, name, names), options_.data_root);
}

Result<std::vector<HistoryStep>> Engine::image_history(std::string_view name) const {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return image::image_history(store, name);
}

Result<> Engine::save_images(const SaveRequest& request) const {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return image::save_images(store, request);
}

Result<std::vector<LoadedImage>> Engine::load_images(const std::string& path,
                                                     const PullOptions& options,
                                                     const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    const auto load = [&](const PullOptions& own,
                          const PullProgressFn& tell) -> Result<std::vector<LoadedImage>> {
        const auto store = KNARR_TRY(store::Store::open(options_.data_root));
        return store::about_disk(image::load_images(store, path, own, limits, tell),
                                 options_.data_root);
    };
    return engine::transfer_as_owner<std::vector<LoadedImage>>(
        options_.data_root, engine::with_driver(options, options_), progress, load);
}

Result<LoginReport> Engine::log_in(const LoginRequest& request) {
    return image::log_in(request);
}

Result<LoginReport> Engine::log_out(const std::string& registry, const std::string& auth_file) {
    return image::log_out(registry, auth_file);
}

Result<std::vector<std::string>> Engine::log_out_everywhere(const std::string& auth_file) {
    return image::log_out_everywhere(auth_file);
}

Result<std::optional<std::string>> Engine::logged_in_user(const std::string& registry,
                                                          const std::string& auth_file) {
    return image::logged_in_user(registry, auth_file);
}

Result<RemoteTags> Engine::list_tags(const RemoteRequest& request) {
    return image::list_tags(request);
}

Result<RemoteReferrers> Engine::list_referrers(const RemoteRequest& request) {
    return image::list_referrers(request);
}

Result<RemoteManifest> Engine::inspect_manifest(const RemoteRequest& request, RemoteDetail detail) {
    return image::inspect_manifest(request, detail);
}

Result<RemoteImage> Engine::delete_remote(const RemoteRequest& request) {
    return image::delete_remote(request);
}

Result<RemovedGarbage> Engine::collect_garbage() {
    return engine::value_as_owner<RemovedGarbage>(options_.data_root, [&] {
        return store::about_disk(engine::collect_garbage(options_.data_root), options_.data_root);
    });
}

Result<PrunedImages> Engine::prune_images(const PruneRequest& request) {
    return engine::value_as_owner<PrunedImages>(options_.data_root, [&] {
        return store::about_disk(engine::prune_images(options_.data_root, request),
                                 options_.data_root);
    });
}

Result<VerifyReport> Engine::verify_images(const std::vector<std::string>& names,
                                           DamagePolicy policy) {
    return engine::value_as_owner<VerifyReport>(options_.data_root, [&]() -> Result<VerifyReport> {
        const auto store = KNARR_TRY(store::Store::open(options_.data_root));
        return image::verify_images(store, names, policy);
    });
}

Result<StoreUsage> Engine::image_usage() const {
    return engine::value_as_owner<StoreUsage>(
        options_.data_root, [&] { return engine::image_usage(options_.data_root); });
}

}  // namespace knarr
