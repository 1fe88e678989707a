#include "engine/tree_copy.h"

#include <cerrno>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "core/core.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/node.h"
#include "platform/xattr.h"

namespace knarr::engine {

namespace {

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

using Inode = std::pair<dev_t, ino_t>;

Result<> copy_xattrs(const sys::Fd& from, const sys::Fd& to) {
    for (const auto& [name, value] : KNARR_TRY(own_xattrs(from))) {
        const Result<> set = sys::set_xattr(to, name, value);
        if (!set && set.error().code != Errc::unsupported) {
            return set;
        }
    }
    return {};
}

/// Of a file of /proc or /sys that is named itself.
constexpr std::size_t kMaxKernelTextBytes = 16 * size::kMiB;
/// How much a tree may make us remember of its files with several names.
constexpr std::size_t kMaxLinkBytes = 64 * size::kMiB;

class Copy {
public:
    /// `top` is the directory that the copy is made in.
    Copy(const sys::Fd& top, const CopyRules& rules, bool exact = false)
        : top_(top), rules_(rules), exact_(exact) {}

    Result<> entries(const sys::Fd& from, const sys::Fd& to, int depth) {
        for (const std::string& name : KNARR_TRY(sys::list_dir(from))) {
            KNARR_TRY(entry(from, name, to, name, depth), "{}", printable(name));
        }
        return {};
    }

    Result<> entry(const sys::Fd& from_dir,
                   const std::string& from_name,
                   const sys::Fd& to_dir,
                   const std::string& to_name,
                   int depth) {
        const auto info = KNARR_TRY(sys::stat_at(from_dir, from_name));
        if (!info || S_ISSOCK(info->st_mode) || (exact_ && is_whiteout(*info))) {
            return {};  // else it is gone again
        }
        if ((S_ISCHR(info->st_mode) || S_ISBLK(info->st_mode)) && rules_.to_host && rules_.owner) {
            ++left_out_.devices;
            return {};
        }
        const auto there = KNARR_TRY(sys::stat_at(to_dir, to_name));
        if (there && S_ISDIR(there->st_mode) != S_ISDIR(info->st_mode)) {
            return fail(Errc::invalid_argument,
                        "cannot overwrite {} with {}: \"{}\"",
                        S_ISDIR(there->st_mode) ? "a directory" : "a non-directory",
                        S_ISDIR(info->st_mode) ? "a directory" : "a non-directory",
                        printable(to_name));
        }
        if (S_ISDIR(info->st_mode)) {
            return directory(from_dir, from_name, to_dir, to_name, depth);
        }
        if (KNARR_TRY(linked(*info, to_dir, to_name))) {
            return {};
        }
        if (S_ISREG(info->st_mode)) {
            KNARR_TRY(file(from_dir, from_name, to_dir, to_name, depth));
        } else {
            KNARR_TRY(special(from_dir, from_name, *info, to_dir, to_name));
        }
        return remember(*info, to_dir, to_name);
    }

    const LeftOut& left_out() const { return left_out_; }

private:
    Result<> attributes(const sys::Fd& from, const struct stat& like, const sys::Fd& to) const {
        if (exact_) {
            return copy_attributes(from, to);
        }
        return sys::set_attributes(to, as_copied(like));
    }

    struct stat as_copied(struct stat info) const {
        if (rules_.owner) {
            info.st_uid = rules_.owner->uid;
            info.st_gid = rules_.owner->gid;
            if (rules_.to_host) {
                info.st_mode &= ~static_cast<mode_t>(S_ISUID | S_ISGID);
            }
        }
        return info;
    }

    Result<> file(const sys::Fd& from_dir,
                  const std::string& from_name,
                  const sys::Fd& to_dir,
                  const std::string& to_name,
                  int depth) const {
        const sys::Fd found = KNARR_TRY(sys::open_at(from_dir, from_name, O_PATH | O_NOFOLLOW));
        const sys::Fd from = KNARR_TRY(sys::reopen(found, O_RDONLY));
        const struct stat info = KNARR_TRY(sys::stat_of(from));
        if (!S_ISREG(info.st_mode)) {
            return fail(Errc::io, "it was replaced meanwhile");
        }
        KNARR_TRY(sys::unlink_at(to_dir, to_name));  // whatever shares the file keeps its content
        const sys::Fd to = KNARR_TRY(
            sys::open_at(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        if (depth == 0 && sys::is_kernel_view(from)) {  // its size says nothing
            const std::string text = KNARR_TRY(sys::read_all(from, kMaxKernelTextBytes));
            KNARR_TRY(sys::write_all(to, text));
        } else {
            KNARR_TRY(sys::copy_sparse(from, to));
        }
        return attributes(from, info, to);
    }

    /// A link, or a device or FIFO.
    Result<> special(const sys::Fd& from_dir,
                     const std::string& from_name,
                     const struct stat& info,
                     const sys::Fd& to_dir,
                     const std::string& to_name) const {
        if (S_ISLNK(info.st_mode)) {
            const std::string target = KNARR_TRY(sys::read_link_at(from_dir, from_name));
            KNARR_TRY(sys::unlink_at(to_dir, to_name));
            KNARR_TRY(sys::make_symlink_at(to_dir, to_name, target));
        } else {
            KNARR_TRY(sys::unlink_at(to_dir, to_name));
            KNARR_TRY(
                sys::make_node_at(to_dir, to_name, (info.st_mode & S_IFMT) | 0600, info.st_rdev));
        }
        return sys::set_attributes_at(to_dir, to_name, as_copied(info));
    }

    Result<> directory(const sys::Fd& from_dir,
                       const std::string& from_name,
                       const sys::Fd& to_dir,
                       const std::string& to_name,
                       int depth) {
        if (depth > kMaxTreeDepth) {
            return fail(Errc::limit_exceeded, "directories are deeper than {}", kMaxTreeDepth);
        }
        Result<> made = sys::make_dir_at(to_dir, to_name, 0700);
        if (!made && made.error().sys_errno != EEXIST) {
            return made;
        }
        const sys::Fd from = KNARR_TRY(sys::open_at(from_dir, from_name, kDirectory));
        const struct stat info = KNARR_TRY(sys::stat_of(from));
        const sys::Fd to = KNARR_TRY(sys::open_at(to_dir, to_name, kDirectory));
        // What is named itself is meant.
        if (depth > 0 && KNARR_TRY(sys::stat_of(from_dir)).st_dev != info.st_dev &&
            sys::is_kernel_view(from)) {
            ++left_out_.kernel_views;
        } else {
            const std::size_t before = path_.size();
            path_ += to_name + "/";
            KNARR_TRY(entries(from, to, depth + 1));
            path_.resize(before);
        }
        return made || !rules_.to_host ? attributes(from, info, to) : Result<>{};
    }

    /// A further name of what has been copied already? Then it is one of the copy now. Where that
    /// cannot be, since somebody changed the copy or it has all the names it may have, it is no
    /// error: the file is copied once more.
    Result<bool> linked(const struct stat& info,
                        const sys::Fd& to_dir,
                        const std::string& to_name) {
        const auto first = links_.find(Inode(info.st_dev, info.st_ino));
        if (info.st_nlink < 2 || first == links_.end()) {
            return false;
        }
        const auto [path, copy] = first->second;
        const std::size_t slash = path.rfind('/');
        const auto parent = sys::open_how(top_,
                                          slash == std::string::npos ? "." : path.substr(0, slash),
                                          O_PATH | O_DIRECTORY,
                                          RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        const std::string name = path.substr(slash + 1);
        const auto there = parent ? sys::stat_at(*parent, name) : fail(parent.error());
        if (!there || !*there || Inode((*there)->st_dev, (*there)->st_ino) != copy) {
            return false;
        }
        KNARR_TRY(sys::unlink_at(to_dir, to_name));
        return sys::hard_link_at(*parent, name, to_dir, to_name).has_value();
    }

    Result<> remember(const struct stat& info, const sys::Fd& to_dir, const std::string& to_name) {
        const auto copy = info.st_nlink > 1 ? KNARR_TRY(sys::stat_at(to_dir, to_name))
                                            : std::optional<struct stat>();
        if (!copy) {
            return {};
        }
        std::string path = path_ + to_name;
        link_bytes_ += path.size();
        if (path.size() > limits::kMaxPathBytes || link_bytes_ > kMaxLinkBytes) {
            return fail(Errc::limit_exceeded,
                        "the paths of files with several names are longer than {} bytes, or {} "
                        "together",
                        limits::kMaxPathBytes,
                        kMaxLinkBytes);
        }
        links_.insert_or_assign(Inode(info.st_dev, info.st_ino),
                                Copied{std::move(path), Inode(copy->st_dev, copy->st_ino)});
        return {};
    }

    struct Copied {
        std::string path;  // below `top`
        Inode inode;
    };
    const sys::Fd& top_;
    const CopyRules& rules_;
    const bool exact_;
    std::string path_;  // of the directory at work, below `top`; with a slash at its end
    std::map<Inode, Copied> links_;  // where what has several names was copied to
    std::size_t link_bytes_ = 0;
    LeftOut left_out_;
};

Inode inode_of(const struct stat& info) {
    return {info.st_dev, info.st_ino};
}

/// Sums up what files take. However deep they lie (a container decides that) one descriptor does,
/// which goes up by "..": somebody who moves a directory meanwhile is found out by its parent.
class Sum {
public:
    Result<std::uint64_t> of(const sys::Fd& top) {
        dir_ = KNARR_TRY(sys::open_at(top, ".", kDirectory));
        KNARR_TRY(enter());
        while (true) {
            std::vector<std::string>& left = levels_.back().left;
            if (!left.empty()) {
                const std::string name = std::move(left.back());
                left.pop_back();
                KNARR_TRY(add(name));
                continue;
            }
            levels_.pop_back();
            if (levels_.empty()) {
                return bytes_;
            }
            dir_ = KNARR_TRY(sys::open_at(dir_, "..", kDirectory));
            if (inode_of(KNARR_TRY(sys::stat_of(dir_))) != levels_.back().self) {
                return fail(Error{.code = Errc::wrong_state,
                                  .message = "directories were moved while their sizes were added",
                                  .hint = "try again, or pause the container meanwhile"});
            }
        }
    }

private:
    struct Level {
        Inode self;
        std::vector<std::string> left;
    };

    Result<> enter() {
        levels_.push_back({.self = inode_of(KNARR_TRY(sys::stat_of(dir_))),
                           .left = KNARR_TRY(sys::list_dir(dir_))});
        return {};
    }

    Result<> add(const std::string& name) {
        if (++entries_ > kMaxSummedEntries) {
            return fail(Errc::limit_exceeded,
                        "there are more than {} files, whose sizes are not added",
                        kMaxSummedEntries);
        }
        const auto info = KNARR_TRY(sys::stat_at(dir_, name));
        const bool is_dir = info && S_ISDIR(info->st_mode);
        if (!info || (info->st_nlink > 1 && !is_dir && !seen_.insert(inode_of(*info)).second)) {
            return {};
        }
        bytes_ += static_cast<std::uint64_t>(info->st_blocks) * 512;
        Result<sys::Fd> inner =
            is_dir ? sys::open_at(dir_, name, kDirectory) : Result<sys::Fd>(sys::Fd());
        if (!inner && (inner.error().sys_errno == ENOENT || inner.error().sys_errno == ENOTDIR ||
                       inner.error().sys_errno == ELOOP)) {
            return {};  // it is gone, or something else, by now
        }
        if (!is_dir) {
            return {};
        }
        dir_ = KNARR_TRY(std::move(inner));
        return enter();
    }

    sys::Fd dir_;
    std::vector<Level> levels_;
    std::set<Inode> seen_;
    std::uint64_t bytes_ = 0, entries_ = 0;
};

}  // namespace

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

Result<Xattrs> own_xattrs(const sys::Fd& fd) {
    Xattrs all = KNARR_TRY(sys::list_xattrs(fd));
    std::erase_if(all, [](const auto& one) { return sys::is_overlay_xattr(one.first); });
    return all;
}

Result<std::uint64_t> tree_bytes(const sys::Fd& dir) {
    return Sum().of(dir);
}

Result<> copy_attributes(const sys::Fd& from, const sys::Fd& to) {
    const struct stat info = KNARR_TRY(sys::stat_of(from));
    // In this order: a new owner takes the set-user-ID bit and capabilities away.
    KNARR_TRY(sys::set_owner_of(to, info.st_uid, info.st_gid));
    KNARR_TRY(sys::set_mode_of(to, info.st_mode & 07777));
    KNARR_TRY(copy_xattrs(from, to));
    return sys::set_time_of(to, info.st_mtim);
}

Result<> copy_tree(const sys::Fd& from, const sys::Fd& to) {
    const CopyRules rules;
    KNARR_TRY(Copy(to, rules, true).entries(from, to, 0));
    return copy_attributes(from, to);
}

Result<LeftOut> copy_entry(const sys::Fd& from_dir,
                           const std::string& from_name,
                           const sys::Fd& to_dir,
                           const std::string& to_name,
                           const CopyRules& rules) {
    Copy copy(to_dir, rules);
    KNARR_TRY(copy.entry(from_dir, from_name, to_dir, to_name, 0));
    return copy.left_out();
}

Result<LeftOut> copy_entries(const sys::Fd& from_dir,
                             const sys::Fd& to_dir,
                             const CopyRules& rules) {
    Copy copy(to_dir, rules);
    KNARR_TRY(copy.entries(from_dir, to_dir, 1));
    return copy.left_out();
}

}  // namespace knarr::engine
