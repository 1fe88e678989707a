#include "bundle/image_view.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/mount.h"

namespace knarr::bundle {

namespace {

bool is_absence(const Error& error) {
    return error.sys_errno == ENOENT || error.sys_errno == ENOTDIR || error.sys_errno == ELOOP ||
           error.sys_errno == EXDEV;
}

/// A read-only overlay that is attached nowhere.
Result<sys::Fd> detached_overlay(const std::vector<std::string>& lowers, unsigned long flags) {
    std::vector<sys::FsOption> options;
    options.reserve(lowers.size());
    for (const std::string& lower : lowers) {
        options.push_back({.key = "lowerdir+", .value = lower});
    }
    Result<sys::Fd> mount = sys::make_filesystem("overlay", "knarr", options, flags);
    if (mount || mount.error().sys_errno != EINVAL) {
        return mount;
    }
    // Before Linux 6.7 all lower directories are one option.
    std::string joined;
    for (const std::string& lower : lowers) {
        if (lower.find_first_of(":,\\") != std::string::npos) {
            return mount;  // the first attempt's error says more
        }
        joined += (joined.empty() ? "" : ":") + lower;
    }
    Result<sys::Fd> again =
        sys::make_filesystem("overlay", "knarr", {{.key = "lowerdir", .value = joined}}, flags);
    return again ? std::move(again) : std::move(mount);
}

}  // namespace

Result<ImageView> ImageView::open(const std::vector<std::string>& lowers) {
    constexpr unsigned long kFlags = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;
    if (lowers.size() != 1) {
        return ImageView(KNARR_TRY(detached_overlay(lowers, kFlags), "look into the image"));
    }
    // An overlay needs two directories; a single one is bound.
    sys::Fd mount = KNARR_TRY(sys::clone_mount_at(lowers.front(), false), "look into the image");
    KNARR_TRY(sys::set_mount_attributes(mount, {.set = sys::attributes_of(kFlags)}),
              "look into the image");
    return ImageView(std::move(mount));
}

Result<std::optional<std::string>> ImageView::read_file(std::string_view path,
                                                        std::size_t max) const {
    // O_NONBLOCK: a FIFO of that name must not make us wait.
    const Result<sys::Fd> file = sys::open_in_root(root_, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (!file) {
        // A device or socket of that name cannot be opened here: no file of ours either.
        if (is_absence(file.error()) || file.error().sys_errno == ENXIO ||
            file.error().sys_errno == EACCES) {
            return std::nullopt;
        }
        return fail(Error(file.error()).within("look into the image"));
    }
    const struct stat info = KNARR_TRY(sys::stat_of(*file));
    if (!S_ISREG(info.st_mode)) {
        return std::nullopt;
    }
    return KNARR_TRY(sys::read_all(*file, max), "{} of the image", printable(path));
}

}  // namespace knarr::bundle
