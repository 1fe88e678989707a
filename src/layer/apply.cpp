#include "layer/apply.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/text.h"
#include "layer/path.h"
#include "platform/disk.h"
#include "platform/node.h"
#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufs = ".wh..wh.";  // bookkeeping of aufs, no content

timespec time_of(const TarEntry& entry) {
    return {.tv_sec = entry.mtime_s, .tv_nsec = static_cast<long>(entry.mtime_ns)};
}

class Applier {
public:
    Applier(TarReader& tar, const ApplyRequest& request)
        : tar_(tar), request_(request), view_(*request.root, request.lowers) {}

    Result<Applied> run();

private:
    /// Where an entry goes.
    struct Spot {
        const sys::Fd* dir = nullptr;
        std::string parent, name;  // real path of the directory, name in it
        std::string path() const { return join(parent, name); }
    };

    Result<> apply(const TarEntry& entry);
    Result<> apply_root(const TarEntry& entry);
    Result<> whiteout(const TarEntry& entry, const std::string& parent, std::string_view name);
    Result<> make(const TarEntry& entry, const Spot& spot);
    Result<> make_directory(const TarEntry& entry, const Spot& spot);
    Result<> make_file(const TarEntry& entry, const Spot& spot);
    Result<> make_link(const TarEntry& entry, const Spot& spot);
    Result<> make_special(const TarEntry& entry, const Spot& spot);
    Result<> write_data(const TarEntry& entry, const sys::Fd& file);
    Result<> copy_up(const View::Found& found, const std::string& path);
    Result<> count_bytes(std::uint64_t bytes);
    Result<> set_xattrs(const TarEntry& entry, const sys::Fd* file, const Spot& spot);
    enum class Cleared { removed, kept_directory };
    Result<Cleared> clear(const Spot& spot, EntryType wanted);
    Result<> set_directory_times();

    TarReader& tar_;
    const ApplyRequest& request_;
    View view_;
    Applied done_;
};

Result<> Applier::count_bytes(std::uint64_t bytes) {
    done_.bytes += bytes;
    if (done_.bytes + request_.lower_bytes > request_.limits.max_rootfs_bytes) {
        return fail(Error{.code = Errc::limit_exceeded,
                          .message = fmt::format("the image's files exceed {} bytes",
                                                 request_.limits.max_rootfs_bytes),
                          .hint = "limits.max_rootfs_bytes bounds them"});
    }
    return {};
}

/// Makes room at a spot that is taken: by an earlier entry, or by a whiteout of this layer.
Result<Applier::Cleared> Applier::clear(const Spot& spot, EntryType wanted) {
    const auto info = KNARR_TRY(sys::stat_at(*spot.dir, spot.name));
    const bool want_directory = wanted == EntryType::directory;
    if (info && S_ISDIR(info->st_mode)) {
        if (want_directory) {
            return Cleared::kept_directory;
        }
        KNARR_TRY(sys::remove_tree_at(*spot.dir, spot.name));
        view_.forget(spot.path());
    } else {
        KNARR_TRY(sys::unlink_at(*spot.dir, spot.name));
        if (want_directory) {
            // What was here hid the lower layers' directory; the new one must go on hiding it.
            view_.mark_opaque(spot.path());
        }
    }
    return Cleared::removed;
}

Result<> Applier::set_xattrs(const TarEntry& entry, const sys::Fd* file, const Spot& spot) {
    for (const auto& [name, value] : entry.xattrs) {
        if (!is_portable_xattr(name) || name.find('\0') != std::string::npos) {
            ++done_.skipped_xattrs;
            continue;
        }
        Result<> set = file != nullptr ? sys::set_xattr(*file, name, value)
                                       : sys::set_xattr_at(*spot.dir, spot.name, name, value);
        // user.* is refused on links and devices by every file system; losing a capability would
        // change what the image can do, so that is an error.
        if (!set && name.starts_with("user.") &&
            (set.error().code == Errc::unsupported || set.error().sys_errno == EPERM)) {
            ++done_.skipped_xattrs;
            continue;
        }
        KNARR_TRY(std::move(set));
    }
    return {};
}

Result<> Applier::write_data(const TarEntry& entry, const sys::Fd& file) {
    if (entry.size > request_.limits.max_rootfs_bytes) {
        return fail(Error{.code = Errc::limit_exceeded,
                          .message = fmt::format("the file has {} bytes", entry.size),
                          .hint = "limits.max_rootfs_bytes bounds it"});
    }
    KNARR_TRY(count_bytes(entry.stored_size));
    if (!entry.sparse) {
        while (true) {
            const std::string_view piece = KNARR_TRY(tar_.data());
            if (piece.empty()) {
                return {};
            }
            KNARR_TRY(sys::write_all(file, piece));
        }
    }
    KNARR_TRY(sys::set_size(file, entry.size));
    std::string_view piece;
    for (const SparseRun& run : entry.runs) {
        std::uint64_t at = run.offset;
        for (std::uint64_t left = run.bytes; left != 0;) {
            if (piece.empty()) {
                piece = KNARR_TRY(tar_.data());
            }
            const std::string_view now =
                piece.substr(0, std::min<std::uint64_t>(left, piece.size()));
            KNARR_TRY(sys::write_all_at(file, now, at));
            piece.remove_prefix(now.size());
            at += now.size();
            left -= now.size();
        }
    }
    return {};
}

Result<> Applier::make_file(const TarEntry& entry, const Spot& spot) {
    const sys::Fd file = KNARR_TRY(sys::open_at(
        *spot.dir, spot.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, entry.mode & 0777U));
    KNARR_TRY(write_data(entry, file));
    // Owner before mode: a change of owner takes set-user-ID away. Attributes after the data: a
    // write takes capabilities away. Even root's files need an owner: a set-group-ID directory
    // gives its own group.
    KNARR_TRY(sys::set_owner_of(file, entry.uid, entry.gid));
    if ((entry.mode & 07000U) != 0) {
        KNARR_TRY(sys::set_mode_of(file, entry.mode));
    }
    KNARR_TRY(set_xattrs(entry, &file, spot));
    return sys::set_time_of(file, time_of(entry));
}

Result<> Applier::make_directory(const TarEntry& entry, const Spot& spot) {
    Result<> made = sys::make_dir_at(*spot.dir, spot.name, 0700);
    if (!made) {
        if (made.error().sys_errno != EEXIST) {
            return made;
        }
        if (KNARR_TRY(clear(spot, EntryType::directory)) == Cleared::removed) {
            KNARR_TRY(sys::make_dir_at(*spot.dir, spot.name, 0700));
        }
    }
    const sys::Fd dir =
        KNARR_TRY(sys::open_at(*spot.dir, spot.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    KNARR_TRY(sys::set_owner_of(dir, entry.uid, entry.gid));
    KNARR_TRY(sys::set_mode_of(dir, entry.mode));
    KNARR_TRY(set_xattrs(entry, &dir, spot));
    view_.directory_times()[spot.path()] = time_of(entry);
    return {};
}

/// A file of a lower layer as this layer's own, as overlayfs would do it for link(2).
Result<> Applier::copy_up(const View::Found& found, const std::string& path) {
    if (!S_ISREG(found.info.st_mode)) {
        return fail(Errc::invalid_image, "{} of a lower layer is not a file", printable(path));
    }
    const sys::Fd from = KNARR_TRY(View::open_lower(found, path));
    const auto [parent, name] = split_last(path);
    const auto place = KNARR_TRY(view_.directory(std::string(parent), LinkRule::follow_lower));
    KNARR_TRY(count_bytes(static_cast<std::uint64_t>(found.info.st_blocks) * 512));
    const sys::Fd to = KNARR_TRY(sys::open_at(
        *place.dir, std::string(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    KNARR_TRY(sys::copy_sparse(from, to));
    KNARR_TRY(sys::set_owner_of(to, found.info.st_uid, found.info.st_gid));
    KNARR_TRY(sys::set_mode_of(to, found.info.st_mode & 07777U));
    for (const auto& [key, value] : KNARR_TRY(sys::list_xattrs(from))) {
        if (is_portable_xattr(key)) {
            KNARR_TRY(sys::set_xattr(to, key, value));
        }
    }
    return sys::set_time_of(to, found.info.st_mtim);
}

Result<> Applier::make_link(const TarEntry& entry, const Spot& spot) {
    const std::string raw =
        KNARR_TRY(normal_path(entry.link_target), "hard link to {}", printable(entry.link_target));
    const auto [parent, name] = split_last(raw);
    if (name.empty() || name.starts_with(kWhiteout)) {
        return fail(Errc::invalid_image, "a hard link to {}", printable(entry.link_target));
    }
    const auto place = KNARR_TRY(view_.directory(std::string(parent), LinkRule::follow_lower),
                                 "hard link to {}",
                                 printable(raw));
    const std::string target = join(place.path, name);
    if (target == spot.path()) {
        return fail(Errc::invalid_image, "a hard link to itself");
    }
    auto found = KNARR_TRY(view_.own(target));
    const bool is_own = found.has_value();
    if (!is_own) {
        found = KNARR_TRY(view_.lower(target));
    }
    if (!found || is_whiteout(found->info)) {
        return fail(Errc::invalid_image, "a hard link to {}, which is not there", printable(raw));
    }
    if (S_ISLNK(found->info.st_mode) || S_ISDIR(found->info.st_mode)) {
        return fail(Errc::invalid_image,
                    "a hard link to {}, which is a {}",
                    printable(raw),
                    S_ISLNK(found->info.st_mode) ? "symbolic link" : "directory");
    }
    if (!is_own) {
        KNARR_TRY(copy_up(*found, target), "hard link to {}", printable(raw));
    }
    // The caller's descriptor may have been dropped from the view's cache: open both again.
    const sys::Fd from = KNARR_TRY(view_.open_own(place.path));
    const sys::Fd to = KNARR_TRY(view_.open_own(spot.parent));
    Result<> linked = sys::hard_link_at(from, std::string(name), to, spot.name);
    if (!linked && linked.error().sys_errno == EEXIST) {
        KNARR_TRY(clear({.dir = &to, .parent = spot.parent, .name = spot.name}, entry.type));
        linked = sys::hard_link_at(from, std::string(name), to, spot.name);
    }
    return linked;
}

Result<> Applier::make_special(const TarEntry& entry, const Spot& spot) {
    if (entry.type == EntryType::symlink) {
        if (entry.link_target.empty() || entry.link_target.size() >= limits::kMaxPathBytes) {
            return fail(Errc::invalid_image, "a link's target has 1 to 4095 bytes");
        }
        KNARR_TRY(sys::make_symlink_at(*spot.dir, spot.name, entry.link_target));
    } else {
        mode_t type = S_IFIFO;
        if (entry.type != EntryType::fifo) {
            type = entry.type == EntryType::character_device ? S_IFCHR : S_IFBLK;
            if (type == S_IFCHR && entry.device_major == 0 && entry.device_minor == 0) {
                return fail(Errc::invalid_image,
                            "a character device 0:0, which would hide files of lower layers");
            }
        }
        KNARR_TRY(sys::make_device_at(*spot.dir,
                                      spot.name,
                                      type | entry.mode,
                                      makedev(entry.device_major, entry.device_minor)));
    }
    KNARR_TRY(sys::set_owner_at(*spot.dir, spot.name, entry.uid, entry.gid));
    KNARR_TRY(set_xattrs(entry, nullptr, spot));
    return sys::set_time_at(*spot.dir, spot.name, time_of(entry));
}

Result<> Applier::make(const TarEntry& entry, const Spot& spot) {
    switch (entry.type) {
        case EntryType::directory:
            return make_directory(entry, spot);
        case EntryType::file:
            return make_file(entry, spot);
        case EntryType::hard_link:
            return make_link(entry, spot);
        default:
            return make_special(entry, spot);
    }
}

/// Source: image-spec layer.md "Whiteouts".
Result<> Applier::whiteout(const TarEntry& entry,
                           const std::string& parent,
                           std::string_view name) {
    if (entry.type != EntryType::file) {
        return fail(Errc::invalid_image, "a whiteout that is not a file");
    }
    if (name == kOpaque) {
        const auto place = KNARR_TRY(view_.directory(parent, LinkRule::refuse));
        view_.mark_opaque(place.path);
        return {};
    }
    const std::string hidden(name.substr(kWhiteout.size()));
    if (hidden.empty() || hidden == "." || hidden == "..") {
        return fail(Errc::invalid_image, "a whiteout of nothing");
    }
    const auto place = KNARR_TRY(view_.directory(parent, LinkRule::refuse));
    const std::string path = join(place.path, hidden);
    const auto own = KNARR_TRY(sys::stat_at(*place.dir, hidden));
    if (own) {
        // This layer's own entry stays; only what is below it goes.
        if (S_ISDIR(own->st_mode)) {
            view_.mark_opaque(path);
        }
        return {};
    }
    // A whiteout of nothing would show as a broken name where directories are not merged.
    if (KNARR_TRY(view_.lower(path))) {
        KNARR_TRY(sys::make_device_at(*place.dir, hidden, S_IFCHR, 0));
    }
    return {};
}

Result<> Applier::apply_root(const TarEntry& entry) {
    if (entry.type != EntryType::directory) {
        return fail(Errc::invalid_image, "the root itself as something else than a directory");
    }
    const sys::Fd root = KNARR_TRY(view_.open_own(""));
    KNARR_TRY(sys::set_owner_of(root, entry.uid, entry.gid));
    KNARR_TRY(sys::set_mode_of(root, entry.mode));
    KNARR_TRY(set_xattrs(entry, &root, {}));
    view_.directory_times()[""] = time_of(entry);
    return {};
}

Result<> Applier::apply(const TarEntry& entry) {
    const std::string path = KNARR_TRY(normal_path(entry.path));
    if (path.empty()) {
        return apply_root(entry);
    }
    const auto [parent_view, name] = split_last(path);
    const std::string parent(parent_view);
    bool in_whiteout = false;
    for (const std::string_view part : split(parent, '/')) {
        if (part.starts_with(kAufs)) {
            return {};
        }
        in_whiteout = in_whiteout || part.starts_with(kWhiteout);
    }
    if (in_whiteout) {
        return fail(Errc::invalid_image, "an entry inside a whiteout");
    }
    if (name.starts_with(kAufs) && name != kOpaque) {
        return {};
    }
    if (name.starts_with(kWhiteout)) {
        return whiteout(entry, parent, name);
    }
    const auto place = KNARR_TRY(view_.directory(parent, LinkRule::follow_lower));
    const Spot spot{.dir = place.dir, .parent = place.path, .name = std::string(name)};
    Result<> made = make(entry, spot);
    if (!made && made.error().sys_errno == EEXIST && entry.type != EntryType::directory &&
        entry.type != EntryType::hard_link) {
        // clear() may empty the view's cache, which owns spot.dir.
        const sys::Fd dir = KNARR_TRY(view_.open_own(spot.parent));
        const Spot again{.dir = &dir, .parent = spot.parent, .name = spot.name};
        KNARR_TRY(clear(again, entry.type));
        made = make(entry, again);
    }
    return made;
}

Result<> Applier::set_directory_times() {
    for (const auto& [path, time] : view_.directory_times()) {
        const sys::Fd dir = KNARR_TRY(view_.open_own(path), "{}", printable(path));
        KNARR_TRY(sys::set_time_of(dir, time), "{}", printable(path));
    }
    return {};
}

Result<Applied> Applier::run() {
    {
        const sys::Fd root = KNARR_TRY(view_.open_own(""));
        KNARR_TRY(sys::set_mode_of(root, 0755));
        KNARR_TRY(view_.copy_lower_attributes("", root));
    }
    while (auto entry = KNARR_TRY(tar_.next())) {
        if (++done_.entries > request_.limits.max_layer_entries) {
            return fail(Error{.code = Errc::limit_exceeded,
                              .message = fmt::format("the layer has more than {} entries",
                                                     request_.limits.max_layer_entries),
                              .hint = "limits.max_layer_entries bounds them"});
        }
        KNARR_TRY(apply(*entry), "entry \"{}\"", printable(entry->path));
    }
    KNARR_TRY(set_directory_times());
    done_.opaque.assign(view_.opaque().begin(), view_.opaque().end());
    return std::move(done_);
}

}  // namespace

Result<Applied> apply_tar(TarReader& tar, const ApplyRequest& request) {
    return Applier(tar, request).run();
}

}  // namespace knarr::layer
