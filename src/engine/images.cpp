#include "engine/images.h"

#include <algorithm>
#include <optional>

#include "engine/container_data.h"
#include "image/image_list.h"

namespace knarr::engine {

Result<RemovedImage> remove_image(const std::string& data_root, std::string_view text) {
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    const std::vector<ContainerUse> uses = KNARR_TRY(images_in_use(data_root));
    image::ImageUse in_use;
    in_use.user = [&](const image::Image& image) -> std::optional<std::string> {
        const auto user = std::find_if(uses.begin(), uses.end(), [&](const ContainerUse& use) {
            return use.image_id == image.id.text();
        });
        return user == uses.end() ? std::nullopt : std::optional(user->container);
    };
    for (const ContainerUse& use : uses) {
        in_use.layers.insert(use.chain.begin(), use.chain.end());
    }
    return image::remove_image(store, text, in_use);
}

}  // namespace knarr::engine
