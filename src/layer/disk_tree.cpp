#include "layer/disk_tree.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/text.h"
#include "layer/path.h"
#include "layer/tar_entry.h"
#include "layer/view.h"
#include "platform/disk.h"
#include "platform/node.h"
#include "platform/xattr.h"

namespace knarr::layer {

namespace {

constexpr std::size_t kCachedDirectories = 256;

timespec time_of(const Attributes& attributes) {
    return {.tv_sec = attributes.mtime_s, .tv_nsec = static_cast<long>(attributes.mtime_ns)};
}

bool is_taken(const Result<>& made) {
    return !made && made.error().sys_errno == EEXIST;
}

bool is_device(EntryType type) {
    return type == EntryType::character_device || type == EntryType::block_device;
}

/// In a user namespace there are only the users that are mapped.
Result<> about_owner(Result<> set, const Attributes& attributes) {
    if (set || set.error().sys_errno != EINVAL) {
        return set;
    }
    return fail(Error{
        .code = Errc::denied,
        .sys_errno = EINVAL,
        .message = fmt::format("its owner is {}:{}, whom this user namespace does not have",
                               attributes.uid,
                               attributes.gid),
        .hint = "give the user (more) subordinate IDs, as root: usermod --add-subuids "
                "100000-165535 --add-subgids 100000-165535 USER (a range that nobody else has)"});
}

}  // namespace

Result<const sys::Fd*> DiskTree::directory(const std::string& path) {
    if (path.empty()) {
        return &root_;
    }
    if (const auto known = directories_.find(path); known != directories_.end()) {
        return &known->second;
    }
    if (directories_.size() >= kCachedDirectories) {
        directories_.clear();
    }
    sys::Fd dir = KNARR_TRY(open_inside(root_, path, O_PATH | O_DIRECTORY));
    return &directories_.insert_or_assign(path, std::move(dir)).first->second;
}

Result<DiskTree::Spot> DiskTree::spot_of(const std::string& path) {
    const auto [parent, name] = split_last(path);
    return Spot{.dir = KNARR_TRY(directory(std::string(parent))), .name = std::string(name)};
}

Result<sys::Fd> DiskTree::open_for_reading(const std::string& path) const {
    return open_inside(root_, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

Result<std::optional<OwnEntry>> DiskTree::find(const std::string& path) {
    const auto fd = open_inside(root_, path, O_PATH | O_NOFOLLOW);
    if (!fd) {
        const int error = fd.error().sys_errno;
        if (error == ENOENT || error == ENOTDIR || error == ELOOP) {
            return left_out_.contains(path) ? std::optional(OwnEntry{}) : std::nullopt;
        }
        return fail(Error(fd.error()));
    }
    const struct stat info = KNARR_TRY(sys::stat_of(*fd));
    OwnEntry entry;
    if (S_ISDIR(info.st_mode)) {
        entry.kind = OwnEntry::Kind::directory;
    } else if (S_ISLNK(info.st_mode)) {
        entry.kind = OwnEntry::Kind::link;
        entry.target = KNARR_TRY(sys::read_link_at(*fd, ""));
    } else if (is_whiteout(info)) {
        entry.kind = OwnEntry::Kind::whiteout;
    }
    return entry;
}

Result<bool> DiskTree::has_directory(const std::string& path) {
    return directory(path).has_value();
}

Result<> DiskTree::set_xattrs(const Attributes& attributes, const sys::Fd* file, const Spot& spot) {
    for (const auto& [name, value] : attributes.xattrs) {
        Result<> set = file != nullptr ? sys::set_xattr(*file, name, value)
                                       : sys::set_xattr_at(*spot.dir, spot.name, name, value);
        // user.* is refused on links and devices by every file system; losing a capability would
        // change what the image can do, so that is an error.
        if (!set && name.starts_with("user.") &&
            (set.error().code == Errc::unsupported || set.error().sys_errno == EPERM)) {
            ++skipped_xattrs_;
            continue;
        }
        KNARR_TRY(std::move(set));
    }
    return {};
}

Result<> DiskTree::make_directory(const std::string& path) {
    const Spot spot = KNARR_TRY(spot_of(path));
    KNARR_TRY(sys::make_dir_at(*spot.dir, spot.name, 0755));
    // A directory that hands its group on does not do so here: the image says nothing of this one.
    const sys::Fd dir = KNARR_TRY(open_for_reading(path));
    KNARR_TRY(sys::set_owner_of(dir, 0, 0));
    times_[path] = {};  // as with the other driver, and so that two unpacks are equal
    return sys::set_mode_of(dir, 0755);
}

Result<OwnTree::Added> DiskTree::add_directory(const std::string& path,
                                               const Attributes& attributes) {
    const Spot spot = KNARR_TRY(spot_of(path));
    Result<> made = sys::make_dir_at(*spot.dir, spot.name, 0700);
    if (is_taken(made)) {
        return Added::taken;
    }
    KNARR_TRY(std::move(made));
    KNARR_TRY(set_attributes(path, attributes));
    return Added::done;
}

Result<> DiskTree::set_attributes(const std::string& path, const Attributes& attributes) {
    const sys::Fd dir = KNARR_TRY(open_for_reading(path));
    KNARR_TRY(about_owner(sys::set_owner_of(dir, attributes.uid, attributes.gid), attributes));
    KNARR_TRY(sys::set_mode_of(dir, attributes.mode));
    KNARR_TRY(set_xattrs(attributes, &dir, {}));
    times_[path] = time_of(attributes);
    return {};
}

Result<OwnTree::Added> DiskTree::add_file(const std::string& path,
                                          const TarEntry& entry,
                                          const Attributes& attributes,
                                          TarReader& tar) {
    const Spot spot = KNARR_TRY(spot_of(path));
    auto file = sys::open_at(
        *spot.dir, spot.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, attributes.mode & 0777U);
    if (!file && file.error().sys_errno == EEXIST) {
        return Added::taken;
    }
    const sys::Fd out = KNARR_TRY(std::move(file));
    KNARR_TRY(write_data(tar, entry, out));
    // Owner before mode: a change of owner takes set-user-ID away. Attributes after the data: a
    // write takes capabilities away. Even root's files need an owner: a set-group-ID directory
    // gives its own group.
    KNARR_TRY(about_owner(sys::set_owner_of(out, attributes.uid, attributes.gid), attributes));
    if ((attributes.mode & 07000U) != 0) {
        KNARR_TRY(sys::set_mode_of(out, attributes.mode));
    }
    KNARR_TRY(set_xattrs(attributes, &out, spot));
    KNARR_TRY(sys::set_time_of(out, time_of(attributes)));
    return Added::done;
}

Result<OwnTree::Added> DiskTree::leave_out(const Spot& spot, const std::string& path) {
    if (KNARR_TRY(sys::stat_at(*spot.dir, spot.name))) {
        return Added::taken;
    }
    left_out_.insert(path);
    return Added::done;
}

Result<OwnTree::Added> DiskTree::add_special(const std::string& path,
                                             const TarEntry& entry,
                                             const Attributes& attributes) {
    const Spot spot = KNARR_TRY(spot_of(path));
    if (devices_ == Devices::left_out && is_device(entry.type)) {
        return leave_out(spot, path);
    }
    Result<> made;
    if (entry.type == EntryType::symlink) {
        made = sys::make_symlink_at(*spot.dir, spot.name, entry.link_target);
    } else {
        made = sys::make_device_at(*spot.dir,
                                   spot.name,
                                   special_type(entry.type) | attributes.mode,
                                   makedev(entry.device_major, entry.device_minor));
    }
    if (is_taken(made)) {
        return Added::taken;
    }
    KNARR_TRY(std::move(made));
    KNARR_TRY(about_owner(sys::set_owner_at(*spot.dir, spot.name, attributes.uid, attributes.gid),
                          attributes));
    KNARR_TRY(set_xattrs(attributes, nullptr, spot));
    KNARR_TRY(sys::set_time_at(*spot.dir, spot.name, time_of(attributes)));
    return Added::done;
}

Result<OwnTree::Added> DiskTree::add_hard_link(const std::string& target, const std::string& path) {
    // Opened anew: the second look-up may drop what the first one cached.
    const auto [target_parent, target_name] = split_last(target);
    const sys::Fd from = KNARR_TRY(open_for_reading(std::string(target_parent)));
    const Spot to = KNARR_TRY(spot_of(path));
    Result<> linked = sys::hard_link_at(from, std::string(target_name), *to.dir, to.name);
    if (!linked && linked.error().sys_errno == ENOENT && left_out_.contains(target)) {
        return leave_out(to, path);
    }
    if (is_taken(linked)) {
        return Added::taken;
    }
    KNARR_TRY(std::move(linked));
    return Added::done;
}

Result<> DiskTree::add_whiteout(const std::string& path) {
    const Spot spot = KNARR_TRY(spot_of(path));
    return sys::make_device_at(*spot.dir, spot.name, S_IFCHR, 0);
}

Result<> DiskTree::copy_up(const std::string& path, const LowerFile& lower) {
    const Spot spot = KNARR_TRY(spot_of(path));
    const sys::Fd to = KNARR_TRY(
        sys::open_at(*spot.dir, spot.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    KNARR_TRY(sys::copy_sparse(lower.file, to));
    KNARR_TRY(sys::set_owner_of(to, lower.attributes.uid, lower.attributes.gid));
    KNARR_TRY(sys::set_mode_of(to, lower.attributes.mode));
    KNARR_TRY(set_xattrs(lower.attributes, &to, spot));
    return sys::set_time_of(to, time_of(lower.attributes));
}

Result<> DiskTree::remove(const std::string& path) {
    const bool left_out = left_out_.erase(path) > 0;
    const Spot spot = KNARR_TRY(spot_of(path));
    const auto info = KNARR_TRY(sys::stat_at(*spot.dir, spot.name));
    if (!info && left_out) {
        return {};
    }
    if (!info || !S_ISDIR(info->st_mode)) {
        return sys::unlink_at(*spot.dir, spot.name);
    }
    KNARR_TRY(sys::remove_tree_at(*spot.dir, spot.name));
    directories_.clear();
    erase_within(left_out_, path, [](const auto& one) -> const auto& { return one; });
    erase_within(times_, path, [](const auto& time) -> const auto& { return time.first; });
    return {};
}

Result<> DiskTree::finish() {
    for (const auto& [path, time] : times_) {
        const sys::Fd dir = KNARR_TRY(open_for_reading(path), "{}", printable(path));
        KNARR_TRY(sys::set_time_of(dir, time), "{}", printable(path));
    }
    return {};
}

}  // namespace knarr::layer
