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
constexpr std::size_t kCachedPaths = 4096;

std::string parent_of(const std::string& path) {
    return std::string(split_last(path).parent);
}

}  // namespace

Result<sys::Fd> open_inside(const sys::Fd& root, const std::string& path, int flags) {
    return sys::open_how(
        root, path.empty() ? "." : path, static_cast<std::uint64_t>(flags), kInside);
}

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

Result<sys::Fd> View::open_lower(const Found& found, const std::string& path) {
    return open_inside(*found.layer->root, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
}

namespace {

/// Whether the set names `path` or a directory above it. A look for each of the path's parts,
/// however large the set is.
bool names_above(const std::set<std::string, std::less<>>& directories, std::string_view path) {
    if (directories.empty()) {
        return false;
    }
    for (std::size_t end = path.size(); end != 0 && end != std::string_view::npos;
         end = path.rfind('/', end - 1)) {
        if (directories.contains(path.substr(0, end))) {
            return true;
        }
    }
    return directories.contains(std::string_view());
}

}  // namespace

/// As overlayfs looks a name up: layer by layer, until one has it, hides it with a whiteout or a
/// file in its way, or ends the search with an opaque directory.
Result<std::optional<View::Found>> View::lower(const std::string& path) const {
    const std::string parent = parent_of(path);
    if (!path.empty() && names_above(opaque_, parent)) {
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
        if (names_above(layer.opaque, parent)) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

Result<View::Component> View::look(const std::string& path) const {
    if (auto own = KNARR_TRY(own_.find(path))) {
        switch (own->kind) {
            case OwnEntry::Kind::whiteout:
                return Component{};
            case OwnEntry::Kind::directory:
                return Component{.kind = Kind::directory, .target = {}};
            case OwnEntry::Kind::link:
                return Component{.kind = Kind::own_link, .target = std::move(own->target)};
            case OwnEntry::Kind::other:
                return Component{.kind = Kind::other, .target = {}};
        }
    }
    const std::optional<Found> found = KNARR_TRY(lower(path));
    if (!found) {
        return Component{};
    }
    if (S_ISDIR(found->info.st_mode)) {
        return Component{.kind = Kind::directory, .target = {}};
    }
    if (!S_ISLNK(found->info.st_mode)) {
        return Component{.kind = Kind::other, .target = {}};
    }
    return Component{.kind = Kind::lower_link,
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

Result<Attributes> View::attributes_of(const Found& found, const sys::Fd& file) {
    Attributes out{.uid = found.info.st_uid,
                   .gid = found.info.st_gid,
                   .mode = found.info.st_mode & 07777U,
                   .mtime_s = found.info.st_mtim.tv_sec,
                   .mtime_ns = static_cast<std::uint32_t>(found.info.st_mtim.tv_nsec)};
    out.xattrs = KNARR_TRY(sys::list_xattrs(file));
    std::erase_if(out.xattrs, [](const auto& xattr) { return !is_portable_xattr(xattr.first); });
    return out;
}

Result<> View::copy_lower_attributes(const std::string& path) {
    const auto found = KNARR_TRY(lower(path));
    if (!found || !S_ISDIR(found->info.st_mode)) {
        return {};
    }
    const sys::Fd source = KNARR_TRY(open_lower(*found, path));
    const Attributes attributes = KNARR_TRY(attributes_of(*found, source));
    return own_.set_attributes(path, attributes);
}

Result<> View::make_directory(const std::string& path) {
    const auto there = KNARR_TRY(own_.find(path));
    if (there && there->kind == OwnEntry::Kind::directory) {
        return {};
    }
    const bool was_whiteout = there && there->kind == OwnEntry::Kind::whiteout;
    if (was_whiteout) {
        KNARR_TRY(own_.remove(path));
        mark_opaque(path);
    }
    KNARR_TRY(own_.make_directory(path));
    ++unnamed_directories_;
    return was_whiteout ? Result<>{} : copy_lower_attributes(path);
}

Result<std::string> View::directory(const std::string& path, LinkRule rule) {
    if (path.empty()) {
        return std::string();
    }
    if (const auto cached = cache_.find(path); cached != cache_.end()) {
        if (rule == LinkRule::follow_lower || cached->second == path) {
            return cached->second;
        }
    }
    if (cache_.size() >= kCachedPaths) {
        cache_.clear();
    }
    std::string real = path;
    // Mostly the tar has named the directory already: one call finds it.
    if (!KNARR_TRY(own_.has_directory(path))) {
        real = KNARR_TRY(real_path(path, rule));
        for (std::size_t at = real.find('/'); at != std::string::npos;
             at = real.find('/', at + 1)) {
            KNARR_TRY(make_directory(real.substr(0, at)));
        }
        if (!real.empty()) {
            KNARR_TRY(make_directory(real));
        }
    }
    return cache_.insert_or_assign(path, std::move(real)).first->second;
}

void View::forget(const std::string& path) {
    cache_.clear();
    erase_within(opaque_, path, [](const std::string& opaque) -> const auto& { return opaque; });
}

}  // namespace knarr::layer
