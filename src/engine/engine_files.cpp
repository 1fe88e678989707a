// The methods of Engine that are about files: of containers, volumes and images.

#include "engine/changes.h"
#include "engine/container_copy.h"
#include "engine/export.h"
#include "engine/image_mounts.h"
#include "engine/image_trees.h"
#include "engine/volumes.h"
#include "knarr/engine.h"
#include "platform/task.h"

namespace knarr {

Result<std::vector<FileChange>> Engine::changes(std::string_view id) const {
    return engine::changes_of(options_, id);
}

Result<> Engine::copy(const CopyRequest& request) const {
    return engine::copy(options_, request);
}

Result<> Engine::export_files(std::string_view id, const std::string& path) const {
    return engine::export_container(options_, id, path);
}

Result<VolumeInfo> Engine::make_volume(const VolumeWish& wish) {
    return engine::make_volume(KNARR_TRY(sys::absolute(options_.data_root)), wish);
}

Result<std::vector<VolumeInfo>> Engine::volumes() const {
    return engine::list_volumes(KNARR_TRY(sys::absolute(options_.data_root)));
}

Result<VolumeInfo> Engine::volume(const std::string& name) const {
    return engine::find_volume(KNARR_TRY(sys::absolute(options_.data_root)), name);
}

Result<> Engine::remove_volume(const std::string& name) {
    return engine::remove_volume(KNARR_TRY(sys::absolute(options_.data_root)), name);
}

Result<std::vector<FileChange>> Engine::image_changes(std::string_view name,
                                                      std::optional<std::string_view> other) const {
    return engine::image_changes(options_.data_root, name, other);
}

Result<std::string> Engine::mount_image(std::string_view name) {
    return engine::mount_image(options_.data_root, name);
}

Result<std::string> Engine::unmount_image(std::string_view name, UnmountMode mode) {
    return engine::unmount_image(options_.data_root, name, mode);
}

Result<std::vector<MountedImage>> Engine::mounted_images() const {
    return engine::mounted_images(options_.data_root);
}

Result<> Engine::write_rootfs(std::string_view name, const std::string& directory) const {
    return engine::write_rootfs(options_.data_root, name, directory);
}

Result<> Engine::export_image(std::string_view name, const std::string& path) const {
    return engine::export_image(options_.data_root, name, path);
}

}  // namespace knarr
