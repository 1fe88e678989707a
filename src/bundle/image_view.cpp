#include "bundle/image_view.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/mount.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/node.h"
#include "platform/xattr.h"

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

Result<sys::Fd> put_together(const std::vector<std::string>& lowers) {
    constexpr unsigned long kFlags = MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC;
    if (lowers.size() != 1) {
        return detached_overlay(lowers, kFlags);
    }
    // An overlay needs two directories; a single one is bound.
    sys::Fd mount = KNARR_TRY(sys::clone_mount_at(lowers.front(), false));
    KNARR_TRY(sys::set_mount_attributes(mount, {.set = sys::attributes_of(kFlags)}));
    return mount;
}

/// What the layers say when they are looked at one by one.
struct Plain {
    bool clear = true;  // false: only the kernel can tell
    sys::Fd file;       // regular, O_PATH; invalid where there is none
};

/// One layer's word about directory/name; nothing: the next one's counts.
Result<std::optional<Plain>> ask_layer(const sys::Fd& layer,
                                       const std::string& directory,
                                       const std::string& name) {
    const auto dir = sys::open_at(layer, directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!dir) {
        // Not a directory: a link, or a whiteout.
        return dir.error().sys_errno == ENOENT ? std::optional<Plain>()
                                               : std::optional<Plain>(Plain{.clear = false});
    }
    auto file = sys::open_at(*dir, name, O_PATH | O_NOFOLLOW);
    if (file) {
        const mode_t mode = KNARR_TRY(sys::stat_of(*file)).st_mode;
        return S_ISREG(mode) ? Plain{.file = std::move(*file)} : Plain{.clear = false};
    }
    if (file.error().sys_errno != ENOENT) {
        return Plain{.clear = false};
    }
    if (KNARR_TRY(sys::get_xattr(*dir, sys::overlay_opaque()))) {
        return Plain{};  // hides what is below
    }
    return std::nullopt;
}

/// `path` is /directory/name; others are not clear.
Result<Plain> look(const std::vector<std::string>& lowers, std::string_view path) {
    const auto parts = split(path, '/');
    if (parts.size() != 3 || !parts[0].empty() || parts[1].starts_with('.') ||
        parts[2].starts_with('.')) {
        return Plain{.clear = false};
    }
    for (const std::string& lower : lowers) {
        const sys::Fd layer = KNARR_TRY(sys::open_path(lower, O_PATH | O_DIRECTORY));
        auto said = KNARR_TRY(ask_layer(layer, std::string(parts[1]), std::string(parts[2])));
        if (said) {
            return std::move(*said);
        }
    }
    return Plain{};
}

Result<std::string> read_text(const sys::Fd& file, std::size_t max, std::string_view path) {
    return KNARR_TRY(sys::read_all(file, max), "{} of the image", printable(path));
}

}  // namespace

Result<std::optional<std::string>> ImageView::read_file(std::string_view path, std::size_t max) {
    if (!root_.valid()) {
        const Plain plain = KNARR_TRY(look(lowers_, path), "look into the image");
        if (plain.clear) {
            if (!plain.file.valid()) {
                return std::nullopt;
            }
            const sys::Fd opened = KNARR_TRY(sys::reopen(plain.file, O_RDONLY));
            return KNARR_TRY(read_text(opened, max, path));
        }
        root_ = KNARR_TRY(put_together(lowers_), "look into the image");
    }
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
    return KNARR_TRY(read_text(*file, max, path));
}

}  // namespace knarr::bundle
