#include "layer/snapshot.h"

#include <cerrno>

#include <fcntl.h>

#include "core/text.h"
#include "layer/stored.h"
#include "layer/view.h"
#include "platform/disk.h"
#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

/// Owner, mode, attributes and time of the image's "/".
Result<> copy_root_attributes(const sys::Fd& from, const sys::Fd& to) {
    const struct stat info = KNARR_TRY(sys::stat_of(from));
    KNARR_TRY(sys::set_owner_of(to, info.st_uid, info.st_gid));
    KNARR_TRY(sys::set_mode_of(to, info.st_mode & 07777U));
    for (const auto& [name, value] : KNARR_TRY(sys::list_xattrs(from))) {
        if (is_portable_xattr(name)) {
            KNARR_TRY(sys::set_xattr(to, name, value));
        }
    }
    return sys::set_time_of(to, info.st_mtim);
}

}  // namespace

Result<bundle::OverlayRoot> make_root(const store::Store& store,
                                      const std::vector<spec::Digest>& chain,
                                      const std::string& container_dir,
                                      RootAccess access) {
    return make_root(KNARR_TRY(lower_paths(store, chain)), container_dir, access);
}

Result<bundle::OverlayRoot> make_root(const std::vector<std::string>& lowers,
                                      const std::string& container_dir,
                                      RootAccess access) {
    if (lowers.empty()) {
        return fail(Errc::invalid_image, "the image has no layers");
    }
    bundle::OverlayRoot root;
    root.lowers = lowers;
    const sys::Fd dir = KNARR_TRY(sys::open_path(container_dir, kDirectory), "container directory");
    const auto make = [&](const std::string& name, mode_t mode) -> Result<std::string> {
        KNARR_TRY(sys::make_dir_at(dir, name, mode), "{}", printable(container_dir));
        return fmt::format("{}/{}", container_dir, name);
    };
    root.merged = KNARR_TRY(make("merged", 0755));
    if (access == RootAccess::read_write) {
        root.upper = KNARR_TRY(make("upper", 0755));
        root.work = KNARR_TRY(make("work", 0700));
        const sys::Fd highest = KNARR_TRY(sys::open_path(root.lowers.front(), kDirectory));
        const sys::Fd upper = KNARR_TRY(sys::open_at(dir, "upper", kDirectory));
        KNARR_TRY(copy_root_attributes(highest, upper), "{}", root.upper);
    }
    return root;
}

}  // namespace knarr::layer
