// The methods of Engine that are about images.

#include "engine/context.h"
#include "engine/images.h"
#include "engine/policy.h"
#include "engine/run_image.h"
#include "image/image_list.h"
#include "image/pull.h"
#include "knarr/engine.h"
#include "store/store.h"

namespace knarr {

Result<int> Engine::run_image(const RunRequest& request, const PullProgressFn& progress) {
    const engine::Context context{.root = *root_,
                                  .warn = options_.warn ? options_.warn : [](std::string_view) {},
                                  .rootless = options_.rootless};
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    return engine::run_image(context, options_.data_root, request, limits, progress);
}

Result<std::string> Engine::pull_image(const std::string& name,
                                       const PullOptions& options,
                                       const PullProgressFn& progress) {
    const Limits limits = KNARR_TRY(engine::limits_of_policy(options_.policy));
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return KNARR_TRY(image::pull_image(store, name, options, limits, progress)).id.text();
}

Result<std::vector<ImageSummary>> Engine::images() const {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return image::list_images(store);
}

Result<std::string> Engine::inspect_image(std::string_view name) const {
    const auto store = KNARR_TRY(store::Store::open(options_.data_root));
    return image::inspect_image(store, name);
}

Result<RemovedImage> Engine::remove_image(std::string_view name) {
    return engine::remove_image(options_.data_root, name);
}

}  // namespace knarr
