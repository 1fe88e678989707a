#include "engine/container_files.h"

#include <cerrno>

#include <linux/mount.h>

#include "engine/container_data.h"
#include "layer/base.h"
#include "layer/stored.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "runtime/launch/launch.h"
#include "store/store.h"

namespace knarr::engine {

Result<sys::Fd> open_container_files(const Record& record) {
    const std::string data_root = data_root_of(record.data_dir);
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const sys::FileLock lock =
        KNARR_TRY(lock_containers(data_root, sys::FileLock::Kind::exclusive));
    auto use = read_use(data_root, record.id);
    if (!use && use.error().sys_errno == ENOENT) {
        return fail(Errc::corrupt, "{} does not say which layers it has", record.data_dir);
    }
    const std::vector<spec::Digest> chain = KNARR_TRY(std::move(use)).chain;
    // Until the mount is made: it keeps what it needs of them.
    const auto layers = KNARR_TRY(layer::MountedLayers::mount(store, chain));
    const bundle::OverlayRoot own = planned_root(layers.lowers(), record.data_dir);
    bundle::OverlayRoot root{
        .lowers = {own.upper}, .upper = {}, .work = {}, .merged = own.merged, .discard = false};
    root.lowers.insert(root.lowers.end(), own.lowers.begin(), own.lowers.end());
    // Nothing that only a container has.
    root.lowers.back() = layer::base_path(data_root, layer::Base::of_files);
    sys::Fd mount = KNARR_TRY(runtime::open_root_source(root));
    // The program may put a device where a file has just been: it is not to be opened.
    KNARR_TRY(sys::set_mount_attributes(mount, {.set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID}));
    return mount;
}

}  // namespace knarr::engine
