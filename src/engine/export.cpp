#include "engine/export.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/mount.h>

#include "core/core.h"
#include "core/random.h"
#include "engine/container_data.h"
#include "engine/container_files.h"
#include "engine/context.h"
#include "engine/live.h"
#include "engine/owner.h"
#include "engine/resolve.h"
#include "image/tree_tar.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/standard_stream.h"
#include "platform/task.h"

namespace knarr::engine {

namespace {

Result<sys::Fd> open_root(const Record& record) {
    if (record.data_dir.empty() && sys::effective_uid() != 0) {
        return sys::open_path(record.rootfs, O_RDONLY | O_DIRECTORY);
    }
    if (!record.data_dir.empty()) {
        return open_container_files(record);
    }
    // Without what is mounted below it, which only root can leave out.
    sys::Fd root = KNARR_TRY(sys::clone_mount_at(record.rootfs, false));
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

Result<> export_tree(const sys::Fd& root, const std::string& path) {
    return path.empty() ? image::write_tree(root, sys::StandardStream(1).fd())
                        : write_file(root, path);
}

Result<> export_container(const EngineOptions& options,
                          std::string_view id,
                          const std::string& path) {
    const StateRoot states = KNARR_TRY(StateRoot::open(options.root));
    const Context context = context_of(states, options);
    const ContainerId container = KNARR_TRY(resolve_id(context, id));
    const Seen seen = KNARR_TRY(look_at(context, container));
    if (!seen.record.data_dir.empty()) {
        KNARR_TRY(enter_owner_namespace(data_root_of(seen.record.data_dir)));
    }
    const std::string what = "export of container " + container.text();
    const sys::Fd root = KNARR_TRY(open_root(seen.record), "{}", what);
    KNARR_TRY(export_tree(root, path), "{}", what);
    return {};
}

}  // namespace knarr::engine
