#include "engine/export.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>

#include "core/core.h"
#include "core/random.h"
#include "engine/container_data.h"
#include "engine/context.h"
#include "engine/live.h"
#include "engine/resolve.h"
#include "image/tree_tar.h"
#include "layer/stored.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/standard_stream.h"
#include "platform/task.h"
#include "runtime/launch/launch.h"
#include "store/store.h"

namespace knarr::engine {

namespace {

/// The layers of a container made from an image with its own on top, mounted nowhere.
Result<sys::Fd> open_image_root(const Record& record) {
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
    return runtime::open_root_source(root);
}

Result<sys::Fd> open_root(const Record& record) {
    if (record.data_dir.empty() && sys::effective_uid() != 0) {
        return sys::open_path(record.rootfs, O_RDONLY | O_DIRECTORY);
    }
    // Without what is mounted below it, which only root can leave out.
    sys::Fd root = KNARR_TRY(record.data_dir.empty() ? sys::clone_mount_at(record.rootfs, false)
                                                     : open_image_root(record));
    // The program may put a device where a file has just been: it is not to be opened.
    KNARR_TRY(sys::set_mount_attributes(root, {.set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID}));
    return root;
}

Result<> write_file(const sys::Fd& root, const std::string& path) {
    const std::string whole = KNARR_TRY(sys::absolute(path));
    const std::string draft = fmt::format("{}.{}", whole, random_name());
    const sys::Fd file =
        KNARR_TRY(sys::open_path(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    Result<> written = image::write_tree(root, file);
    if (written) {
        written = sys::rename_at(sys::Fd(), draft, sys::Fd(), whole);
    }
    if (!written) {
        static_cast<void>(sys::unlink_at(sys::Fd(), draft));
    }
    return written;
}

}  // namespace

Result<> export_container(const EngineOptions& options,
                          std::string_view id,
                          const std::string& path) {
    const StateRoot states = KNARR_TRY(StateRoot::open(options.root));
    const Context context = context_of(states, options);
    const ContainerId container = KNARR_TRY(resolve_id(context, id));
    const Seen seen = KNARR_TRY(look_at(context, container));
    const std::string what = "export of container " + container.text();
    const sys::Fd root = KNARR_TRY(open_root(seen.record), "{}", what);
    if (!path.empty()) {
        KNARR_TRY(write_file(root, path), "{}", what);
        return {};
    }
    KNARR_TRY(image::write_tree(root, sys::StandardStream(1).fd()), "{}", what);
    return {};
}

}  // namespace knarr::engine
