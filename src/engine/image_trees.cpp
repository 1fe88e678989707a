#include "engine/image_trees.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/core.h"
#include "core/text.h"
#include "engine/export.h"
#include "engine/image_mounts.h"
#include "engine/owner.h"
#include "engine/tree_copy.h"
#include "image/find.h"
#include "layer/stored.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/xattr.h"

namespace knarr::engine {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

Result<bool> same_content(const sys::Fd& before, const sys::Fd& after) {
    std::array<char, 65536> old_bytes;
    std::array<char, 65536> new_bytes;
    while (true) {
        const std::size_t count = KNARR_TRY(sys::read_some(before, old_bytes));
        std::size_t got = 0;
        while (got < count) {
            const auto rest = std::span(new_bytes).subspan(got, count - got);
            const std::size_t more = KNARR_TRY(sys::read_some(after, rest));
            if (more == 0) {
                return false;
            }
            got += more;
        }
        if (!std::equal(old_bytes.begin(),
                        old_bytes.begin() + static_cast<std::ptrdiff_t>(count),
                        new_bytes.begin())) {
            return false;
        }
        if (count == 0) {
            return KNARR_TRY(sys::read_some(after, new_bytes)) == 0;
        }
    }
}

/// What compare() looks at: one name in both trees.
struct Pair {
    const sys::Fd& before;
    const sys::Fd& after;
    const std::string& name;
    const struct stat& old_info;
    const struct stat& new_info;
};

/// But for the content of a directory.
Result<bool> is_same(const Pair& pair) {
    const struct stat& a = pair.old_info;
    const struct stat& b = pair.new_info;
    if (a.st_mode != b.st_mode || a.st_uid != b.st_uid || a.st_gid != b.st_gid ||
        a.st_rdev != b.st_rdev) {
        return false;
    }
    if (S_ISLNK(a.st_mode)) {
        const std::string was = KNARR_TRY(sys::read_link_at(pair.before, pair.name));
        const std::string is = KNARR_TRY(sys::read_link_at(pair.after, pair.name));
        return was == is;
    }
    if (!S_ISREG(a.st_mode) && !S_ISDIR(a.st_mode)) {
        return true;
    }
    if (S_ISREG(a.st_mode) && a.st_size != b.st_size) {
        return false;
    }
    constexpr int kRead = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
    const sys::Fd before = KNARR_TRY(sys::open_at(pair.before, pair.name, kRead));
    const sys::Fd after = KNARR_TRY(sys::open_at(pair.after, pair.name, kRead));
    const Xattrs had = KNARR_TRY(own_xattrs(before));
    const Xattrs has = KNARR_TRY(own_xattrs(after));
    if (had != has) {
        return false;
    }
    return S_ISDIR(a.st_mode) || KNARR_TRY(same_content(before, after));
}

Result<std::optional<struct stat>> stat_entry(const sys::Fd& dir, const std::string& name) {
    const auto info = KNARR_TRY(sys::stat_at(dir, name));
    return info && is_whiteout(*info) ? std::optional<struct stat>() : info;
}

class Comparison {
public:
    explicit Comparison(std::size_t max_bytes) : changes_(max_bytes) {}

    Result<> enter(const sys::Fd& before, const sys::Fd& after, const std::string& path) {
        if (++depth_ > kMaxTreeDepth) {
            return fail(Errc::limit_exceeded, "directories are deeper than {}", kMaxTreeDepth);
        }
        const std::vector<std::string> olds = KNARR_TRY(sys::list_dir(before));
        const std::vector<std::string> news = KNARR_TRY(sys::list_dir(after));
        std::vector<std::string> names;
        std::ranges::set_union(olds, news, std::back_inserter(names));
        for (const std::string& name : names) {
            KNARR_TRY(look_at(before, after, name, fmt::format("{}/{}", path, name)),
                      "{}/{}",
                      path,
                      name);
        }
        --depth_;
        return {};
    }

    std::vector<Change> take() && { return std::move(changes_).take(); }

private:
    Result<> look_at(const sys::Fd& before,
                     const sys::Fd& after,
                     const std::string& name,
                     const std::string& path) {
        const auto old_info = KNARR_TRY(stat_entry(before, name));
        const auto new_info = KNARR_TRY(stat_entry(after, name));
        if (!new_info && !old_info) {
            return {};
        }
        if (!new_info) {
            return changes_.note('D', path);  // with all that is in it
        }
        if (!old_info) {
            KNARR_TRY(changes_.note('A', path));
            return S_ISDIR(new_info->st_mode) ? add_all(after, name, path) : Result<>{};
        }
        const bool same = KNARR_TRY(is_same({.before = before,
                                             .after = after,
                                             .name = name,
                                             .old_info = *old_info,
                                             .new_info = *new_info}));
        const std::size_t own = changes_.size();
        KNARR_TRY(changes_.note('C', path));
        if (S_ISDIR(new_info->st_mode) && S_ISDIR(old_info->st_mode)) {
            const sys::Fd old_dir = KNARR_TRY(sys::open_at(before, name, kDirectory));
            const sys::Fd new_dir = KNARR_TRY(sys::open_at(after, name, kDirectory));
            KNARR_TRY(enter(old_dir, new_dir, path));
        } else if (S_ISDIR(new_info->st_mode)) {
            KNARR_TRY(add_all(after, name, path));
        }
        if (same && changes_.size() == own + 1) {
            changes_.drop_last();
        }
        return {};
    }

    Result<> add_all(const sys::Fd& parent, const std::string& name, const std::string& path) {
        if (++depth_ > kMaxTreeDepth) {
            return fail(Errc::limit_exceeded, "directories are deeper than {}", kMaxTreeDepth);
        }
        const sys::Fd dir = KNARR_TRY(sys::open_at(parent, name, kDirectory));
        for (const std::string& inner : KNARR_TRY(sys::list_dir(dir))) {
            const auto info = KNARR_TRY(stat_entry(dir, inner));
            if (!info) {
                continue;
            }
            const std::string inner_path = fmt::format("{}/{}", path, inner);
            KNARR_TRY(changes_.note('A', inner_path));
            if (S_ISDIR(info->st_mode)) {
                KNARR_TRY(add_all(dir, inner, inner_path));
            }
        }
        --depth_;
        return {};
    }

    ChangeList changes_;
    int depth_ = 0;
};

/// An image's root file system, and what keeps it there.
struct ImageRoot {
    layer::MountedLayers layers;
    sys::Fd root;
};

Result<ImageRoot> open_root(const store::Store& store, const std::vector<spec::Digest>& chain) {
    auto layers = KNARR_TRY(layer::MountedLayers::mount(store, chain));
    const sys::Fd mount = KNARR_TRY(open_image_root(layers.lowers()));
    sys::Fd root = KNARR_TRY(sys::open_at(mount, ".", kDirectory));
    return ImageRoot{.layers = std::move(layers), .root = std::move(root)};
}

Result<image::Image> find_files(const store::Store& store,
                                const store::Lease& lease,
                                std::string_view name) {
    image::Image image = KNARR_TRY(image::find_whole(store, lease, name));
    KNARR_TRY(image::check_files(image));
    return image;
}

}  // namespace

Result<std::vector<Change>> compare_trees(const sys::Fd& before,
                                          const sys::Fd& after,
                                          std::size_t max_bytes) {
    Comparison comparison(max_bytes);
    KNARR_TRY(comparison.enter(before, after, ""));
    return std::move(comparison).take();
}

Result<std::vector<Change>> image_changes(const std::string& data_root,
                                          std::string_view name,
                                          std::optional<std::string_view> other) {
    KNARR_TRY(enter_owner_namespace(data_root));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const store::Lease lease = KNARR_TRY(store.lease_to_read());
    const image::Image image = KNARR_TRY(find_files(store, lease, name));
    std::vector<spec::Digest> below(image.chain.begin(), image.chain.end() - 1);
    if (other) {
        below = KNARR_TRY(find_files(store, lease, *other)).chain;
    }
    const ImageRoot after = KNARR_TRY(open_root(store, image.chain));
    if (below.empty()) {
        // All of its only layer is new.
        const sys::Fd nothing = KNARR_TRY(sys::make_filesystem("tmpfs", "tmpfs", {}, 0));
        const sys::Fd empty = KNARR_TRY(sys::open_at(nothing, ".", kDirectory));
        return compare_trees(empty, after.root);
    }
    const ImageRoot before = KNARR_TRY(open_root(store, below));
    return compare_trees(before.root, after.root);
}

Result<> fill_rootfs(const sys::Fd& from, const sys::Fd& to, const std::string& directory) {
    const struct stat before = KNARR_TRY(sys::stat_of(to));
    if (before.st_uid != sys::effective_uid() || (before.st_mode & 022) != 0) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("{} has the owner {} and the mode {:04o}: others "
                                                 "could change what is written there",
                                                 printable(directory),
                                                 before.st_uid,
                                                 before.st_mode & 07777),
                          .hint = "name one that is yours and that nobody else may write to, or "
                                  "that is not there"});
    }
    if (!KNARR_TRY(sys::list_dir(to)).empty()) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = fmt::format("{} is not empty", printable(directory)),
                          .hint = "name a directory that is empty or not there"});
    }
    // Users of the host may have the numbers of owners in the image: they get to its files when all
    // of them are there, and to none by whose name another one is to be found.
    KNARR_TRY(sys::set_mode_of(to, 0700));
    Result<> copied = copy_tree(from, to);
    if (!copied) {
        for (const std::string& entry : KNARR_TRY(sys::list_dir(to))) {
            static_cast<void>(sys::remove_tree_at(to, entry));
        }
        static_cast<void>(sys::set_owner_of(to, before.st_uid, before.st_gid));
        static_cast<void>(sys::set_mode_of(to, before.st_mode & 07777));
    }
    return copied;
}

Result<> export_image(const std::string& data_root,
                      std::string_view name,
                      const std::string& path) {
    KNARR_TRY(enter_owner_namespace(data_root));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const store::Lease lease = KNARR_TRY(store.lease_to_read());
    const image::Image image = KNARR_TRY(find_files(store, lease, name));
    const ImageRoot from = KNARR_TRY(open_root(store, image.chain));
    return export_tree(from.root, path);
}

Result<> write_rootfs(const std::string& data_root,
                      std::string_view name,
                      const std::string& directory) {
    KNARR_TRY(enter_owner_namespace(data_root));
    const auto store = KNARR_TRY(store::Store::open(data_root));
    const store::Lease lease = KNARR_TRY(store.lease_to_read());
    const image::Image image = KNARR_TRY(find_files(store, lease, name));
    const ImageRoot from = KNARR_TRY(open_root(store, image.chain));
    Result<> made = sys::make_dir_at(sys::Fd(), directory, 0700);
    if (!made && made.error().sys_errno != EEXIST) {
        return made;
    }
    const sys::Fd to =
        KNARR_TRY(sys::open_path(directory, O_RDONLY | O_DIRECTORY | (made ? O_NOFOLLOW : 0)));
    Result<> copied = fill_rootfs(from.root, to, directory);
    if (!copied && made) {
        static_cast<void>(sys::unlink_at(sys::Fd(), directory, AT_REMOVEDIR));
    }
    return copied;
}

}  // namespace knarr::engine
