#include "layer/view.h"

#include <algorithm>
#include <cerrno>

#include <linux/openat2.h>
#include <sys/sysmacros.h>

#include "core/limits.h"
#include "core/text.h"
#include "layer/path.h"
#include "platform/disk.h"
#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr std::uint64_t kInside = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr std::size_t kCachedDirectories = 256;

Result<sys::Fd> open_inside(const sys::Fd& root, const std::string& path, int flags) {
    return sys::open_how(
        root, path.empty() ? "." : path, static_cast<std::uint64_t>(flags), kInside);
}

std::string parent_of(const std::string& path) {
    return std::string(split_last(path).parent);
}

}  // namespace

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

// trusted.* steers the host's overlayfs, security.selinux and security.ima belong to the host's
// policy: an image has no say in either. user.overlay.* steers unprivileged overlay mounts. A
// default ACL would change the modes of what is made in the directory afterwards.
bool is_portable_xattr(std::string_view name) {
    return (name.starts_with("user.") && !name.starts_with("user.overlay.")) ||
           name == "security.capability" || name == "system.posix_acl_access";
}

Result<sys::Fd> View::open_own(const std::string& path) const {
    return open_inside(own_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<sys::Fd> View::open_lower(const Found& found, const std::string& path) {
    return open_inside(*found.layer->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

Result<std::optional<View::Found>> View::own(const std::string& path) const {
    auto fd = open_inside(own_, path, O_PATH | O_NOFOLLOW);
    if (!fd) {
        const int error = fd.error().sys_errno;
        if (error == ENOENT || error == ENOTDIR || error == ELOOP) {
            return std::nullopt;
        }
        return fail(std::move(fd).error());
    }
    const struct stat info = KNARR_TRY(sys::stat_of(*fd));
    return Found{.fd = *std::move(fd), .info = info};
}

bool View::hidden_by_own(std::string_view path) const {
    return std::any_of(opaque_.begin(), opaque_.end(), [&](const std::string& directory) {
        return is_within(path, directory);
    });
}

/// As overlayfs looks a name up: layer by layer, until one has it, hides it with a whiteout or a
/// file in its way, or ends the search with an opaque directory.
Result<std::optional<View::Found>> View::lower(const std::string& path) const {
    const std::string parent = parent_of(path);
    if (!path.empty() && hidden_by_own(parent)) {
        return std::nullopt;
    }
    for (const LowerLayer& layer : lowers_) {
        auto fd = open_inside(*layer.root, path, O_PATH | O_NOFOLLOW);
        if (fd) {
            const struct stat info = KNARR_TRY(sys::stat_of(*fd));
            if (is_whiteout(info)) {
                return std::nullopt;
            }
            return Found{.fd = *std::move(fd), .info = info, .layer = &layer};
        }
        const int error = fd.error().sys_errno;
        if (error == ENOTDIR || error == ELOOP) {
            return std::nullopt;
        }
        if (error != ENOENT) {
            return fail(std::move(fd).error());
        }
        if (std::any_of(layer.opaque.begin(), layer.opaque.end(), [&](const std::string& dir) {
                return is_within(parent, dir);
            })) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

Result<View::Component> View::look(const std::string& path) const {
    std::optional<Found> found = KNARR_TRY(own(path));
    const bool is_own = found.has_value();
    if (is_own && is_whiteout(found->info)) {
        return Component{};
    }
    if (!is_own) {
        found = KNARR_TRY(lower(path));
    }
    if (!found) {
        return Component{};
    }
    if (S_ISDIR(found->info.st_mode)) {
        return Component{.kind = Kind::directory, .target = {}};
    }
    if (!S_ISLNK(found->info.st_mode)) {
        return Component{.kind = Kind::other, .target = {}};
    }
    return Component{.kind = is_own ? Kind::own_link : Kind::lower_link,
                     .target = KNARR_TRY(sys::read_link_at(found->fd, ""))};
}

Result<std::string> View::real_path(const std::string& path, LinkRule rule) const {
    std::deque<std::string> todo;
    for (const std::string_view part : split(path, '/')) {
        todo.emplace_back(part);
    }
    std::string real;
    int links = 0;
    while (!todo.empty()) {
        const std::string part = std::move(todo.front());
        todo.pop_front();
        if (part.empty() || part == ".") {
            continue;
        }
        if (part == "..") {  // only from a link's target; at the root it stays there
            real = parent_of(real);
            continue;
        }
        const std::string here = join(real, part);
        if (here.size() >= limits::kMaxPathBytes) {
            return fail(Errc::limit_exceeded, "links make the path too long");
        }
        const Component component = KNARR_TRY(look(here));
        switch (component.kind) {
            case Kind::absent:
            case Kind::directory:
                real = here;
                break;
            case Kind::other:
                return fail(Errc::invalid_image, "{} is not a directory", printable(here));
            case Kind::own_link:
                return fail(Errc::invalid_image,
                            "the path leads through {}, a link made by the same layer",
                            printable(here));
            case Kind::lower_link: {
                if (rule == LinkRule::refuse) {
                    return fail(
                        Errc::invalid_image, "the path leads through the link {}", printable(here));
                }
                if (++links > limits::kMaxSymlinkDepth) {
                    return fail(Errc::invalid_image,
                                "the path leads through more than {} links",
                                limits::kMaxSymlinkDepth);
                }
                if (component.target.starts_with('/')) {
                    real.clear();
                }
                auto parts = split(component.target, '/');
                std::reverse(parts.begin(), parts.end());
                for (const std::string_view next : parts) {
                    todo.emplace_front(next);
                }
                break;
            }
        }
    }
    return real;
}

Result<> View::copy_lower_attributes(const std::string& path, const sys::Fd& dir) {
    const auto found = KNARR_TRY(lower(path));
    if (!found || !S_ISDIR(found->info.st_mode)) {
        return {};
    }
    const sys::Fd source = KNARR_TRY(open_lower(*found, path));
    KNARR_TRY(sys::set_owner_of(dir, found->info.st_uid, found->info.st_gid));
    KNARR_TRY(sys::set_mode_of(dir, found->info.st_mode & 07777U));
    for (const auto& [name, value] : KNARR_TRY(sys::list_xattrs(source))) {
        if (is_portable_xattr(name)) {
            KNARR_TRY(sys::set_xattr(dir, name, value));
        }
    }
    times_[path] = found->info.st_mtim;
    return {};
}

Result<> View::make_directory(const std::string& path) {
    const auto there = KNARR_TRY(own(path));
    if (there && S_ISDIR(there->info.st_mode)) {
        return {};
    }
    const std::string parent = parent_of(path);
    const std::string name(split_last(path).name);
    const sys::Fd dir = KNARR_TRY(open_own(parent));
    const bool was_whiteout = there && is_whiteout(there->info);
    if (was_whiteout) {
        KNARR_TRY(sys::unlink_at(dir, name));
        mark_opaque(path);
    }
    KNARR_TRY(sys::make_dir_at(dir, name, 0755));
    const sys::Fd made = KNARR_TRY(open_own(path));
    KNARR_TRY(sys::set_mode_of(made, 0755));
    return was_whiteout ? Result<>{} : copy_lower_attributes(path, made);
}

Result<View::Place> View::directory(const std::string& path, LinkRule rule) {
    if (path.empty()) {
        return Place{.dir = &own_, .path = {}};
    }
    if (const auto cached = cache_.find(path); cached != cache_.end()) {
        if (rule == LinkRule::follow_lower || cached->second.path == path) {
            return Place{.dir = &cached->second.dir, .path = cached->second.path};
        }
    }
    if (cache_.size() >= kCachedDirectories) {
        cache_.clear();
    }
    std::string real = path;
    // Mostly the tar has named the directory already: one call finds it.
    auto dir = open_inside(own_, path, O_PATH | O_DIRECTORY);
    if (!dir) {
        real = KNARR_TRY(real_path(path, rule));
        if (real.empty()) {
            return Place{.dir = &own_, .path = {}};
        }
        for (std::size_t at = real.find('/'); at != std::string::npos;
             at = real.find('/', at + 1)) {
            KNARR_TRY(make_directory(real.substr(0, at)));
        }
        KNARR_TRY(make_directory(real));
        dir = open_inside(own_, real, O_PATH | O_DIRECTORY);
    }
    Cached entry{.dir = KNARR_TRY(std::move(dir)), .path = std::move(real)};
    const Cached& kept = cache_.insert_or_assign(path, std::move(entry)).first->second;
    return Place{.dir = &kept.dir, .path = kept.path};
}

void View::forget(const std::string& path) {
    cache_.clear();
    std::erase_if(times_, [&](const auto& time) { return is_within(time.first, path); });
    std::erase_if(opaque_, [&](const std::string& dir) { return is_within(dir, path); });
}

}  // namespace knarr::layer
