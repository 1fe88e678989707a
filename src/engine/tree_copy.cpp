#include "engine/tree_copy.h"

#include <cerrno>
#include <map>
#include <set>
#include <utility>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>

#include "core/text.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/node.h"
#include "platform/xattr.h"

namespace knarr::engine {

namespace {

constexpr int kMaxDepth = 400;  // each level holds two descriptors, of 1024 as a rule

constexpr int kDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;

using Inode = std::pair<dev_t, ino_t>;

/// What copy_tree keeps besides.
struct Exact {
    const sys::Fd& top;     // of the copy
    std::string path = {};  // of the directory at work, below it; with a slash at its end
    std::map<Inode, std::string> links = {};  // where what has several names was copied to
};

/// Another name for `path` below `top`, to which no link leads: should somebody have put one into
/// the copy, what is behind it is not ours to give a name.
Result<> link_again(const sys::Fd& top,
                    const std::string& path,
                    const sys::Fd& to_dir,
                    const std::string& to_name) {
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
    const sys::Fd parent =
        KNARR_TRY(sys::open_how(top,
                                directory,
                                O_PATH | O_DIRECTORY,
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
    return sys::hard_link_at(
        parent, slash == std::string::npos ? path : path.substr(slash + 1), to_dir, to_name);
}

Result<> copy_xattrs(const sys::Fd& from, const sys::Fd& to) {
    for (const auto& [name, value] : KNARR_TRY(own_xattrs(from))) {
        const Result<> set = sys::set_xattr(to, name, value);
        if (!set && set.error().code != Errc::unsupported) {
            return set;
        }
    }
    return {};
}

struct Copy {
    std::optional<Owner> owner;
    Exact* exact = nullptr;

    Result<> attributes(const sys::Fd& dir, const std::string& name, struct stat info) const {
        if (owner) {
            info.st_uid = owner->uid;
            info.st_gid = owner->gid;
        }
        return sys::set_attributes_at(dir, name, info);
    }

    Result<> file(const sys::Fd& from_dir,
                  const std::string& from_name,
                  const sys::Fd& to_dir,
                  const std::string& to_name) const {
        const sys::Fd from =
            KNARR_TRY(sys::open_at(from_dir, from_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        if (!S_ISREG(KNARR_TRY(sys::stat_of(from)).st_mode)) {
            return fail(Errc::io, "it was replaced meanwhile");
        }
        KNARR_TRY(sys::unlink_at(to_dir, to_name));  // whatever shares the file keeps its content
        const sys::Fd to = KNARR_TRY(
            sys::open_at(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        KNARR_TRY(sys::copy_sparse(from, to));
        return exact != nullptr ? copy_attributes(from, to) : Result<>{};
    }

    /// A link, or a device or FIFO.
    static Result<> special(const sys::Fd& from_dir,
                            const std::string& from_name,
                            const struct stat& info,
                            const sys::Fd& to_dir,
                            const std::string& to_name) {
        if (!S_ISLNK(info.st_mode)) {
            return sys::make_node_at(to_dir, to_name, info.st_mode, info.st_rdev);
        }
        const std::string target = KNARR_TRY(sys::read_link_at(from_dir, from_name));
        return sys::make_symlink_at(to_dir, to_name, target);
    }

    Result<> directory(const sys::Fd& from_dir,
                       const std::string& from_name,
                       const sys::Fd& to_dir,
                       const std::string& to_name,
                       int depth) const {
        if (depth > kMaxDepth) {
            return fail(Errc::limit_exceeded, "directories are deeper than {}", kMaxDepth);
        }
        Result<> made = sys::make_dir_at(to_dir, to_name, 0700);
        if (!made && made.error().sys_errno != EEXIST) {
            return made;
        }
        const sys::Fd from = KNARR_TRY(sys::open_at(from_dir, from_name, kDirectory));
        const sys::Fd to = KNARR_TRY(sys::open_at(to_dir, to_name, kDirectory));
        if (exact == nullptr) {
            return entries(from, to, depth + 1);
        }
        const std::size_t before = exact->path.size();
        exact->path += to_name + "/";
        KNARR_TRY(entries(from, to, depth + 1));
        exact->path.resize(before);
        return copy_attributes(from, to);
    }

    /// A further name of what has been copied already? Then it is one of the copy now.
    Result<bool> linked(const struct stat& info,
                        const sys::Fd& to_dir,
                        const std::string& to_name) const {
        if (exact == nullptr || info.st_nlink < 2 || S_ISDIR(info.st_mode)) {
            return false;
        }
        const auto [first, is_first] =
            exact->links.try_emplace(Inode(info.st_dev, info.st_ino), exact->path + to_name);
        if (!is_first) {
            KNARR_TRY(link_again(exact->top, first->second, to_dir, to_name));
        }
        return !is_first;
    }

    Result<> entries(const sys::Fd& from, const sys::Fd& to, int depth) const {
        for (const std::string& name : KNARR_TRY(sys::list_dir(from))) {
            KNARR_TRY(entry(from, name, to, name, depth), "{}", printable(name));
        }
        return {};
    }

    Result<> entry(const sys::Fd& from_dir,
                   const std::string& from_name,
                   const sys::Fd& to_dir,
                   const std::string& to_name,
                   int depth) const {
        const auto info = KNARR_TRY(sys::stat_at(from_dir, from_name));
        if (!info || (exact != nullptr && is_whiteout(*info)) ||
            KNARR_TRY(linked(*info, to_dir, to_name))) {
            return {};  // else it is gone again
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
            KNARR_TRY(directory(from_dir, from_name, to_dir, to_name, depth));
        } else if (S_ISREG(info->st_mode)) {
            KNARR_TRY(file(from_dir, from_name, to_dir, to_name));
        } else if (S_ISSOCK(info->st_mode)) {
            return {};
        } else {
            KNARR_TRY(sys::unlink_at(to_dir, to_name));
            KNARR_TRY(special(from_dir, from_name, *info, to_dir, to_name));
        }
        const bool by_descriptor = S_ISDIR(info->st_mode) || S_ISREG(info->st_mode);
        return exact != nullptr && by_descriptor ? Result<>{} : attributes(to_dir, to_name, *info);
    }
};

Result<std::uint64_t> count_bytes(const sys::Fd& dir, std::set<Inode>& seen, int depth) {
    if (depth > kMaxDepth) {
        return fail(Errc::limit_exceeded, "directories are deeper than {}", kMaxDepth);
    }
    std::uint64_t sum = 0;
    for (const std::string& name : KNARR_TRY(sys::list_dir(dir))) {
        const auto info = KNARR_TRY(sys::stat_at(dir, name));
        if (!info || (info->st_nlink > 1 && !S_ISDIR(info->st_mode) &&
                      !seen.emplace(info->st_dev, info->st_ino).second)) {
            continue;
        }
        sum += static_cast<std::uint64_t>(info->st_blocks) * 512;
        if (S_ISDIR(info->st_mode)) {
            const sys::Fd inner = KNARR_TRY(sys::open_at(dir, name, kDirectory));
            sum += KNARR_TRY(count_bytes(inner, seen, depth + 1));
        }
    }
    return sum;
}

}  // namespace

bool is_whiteout(const struct stat& info) {
    return S_ISCHR(info.st_mode) && info.st_rdev == 0;
}

Result<Xattrs> own_xattrs(const sys::Fd& fd) {
    Xattrs all = KNARR_TRY(sys::list_xattrs(fd));
    std::erase_if(all, [](const auto& one) { return one.first.starts_with("trusted.overlay."); });
    return all;
}

Result<std::uint64_t> tree_bytes(const sys::Fd& dir) {
    std::set<Inode> seen;
    return count_bytes(dir, seen, 0);
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
    Exact exact{.top = to};
    const Copy copy{.owner = std::nullopt, .exact = &exact};
    KNARR_TRY(copy.entries(from, to, 0));
    return copy_attributes(from, to);
}

Result<> copy_entry(const sys::Fd& from_dir,
                    const std::string& from_name,
                    const sys::Fd& to_dir,
                    const std::string& to_name,
                    std::optional<Owner> owner) {
    return Copy{owner}.entry(from_dir, from_name, to_dir, to_name, 0);
}

Result<> copy_entries(const sys::Fd& from_dir, const sys::Fd& to_dir, std::optional<Owner> owner) {
    return Copy{owner}.entries(from_dir, to_dir, 0);
}

}  // namespace knarr::engine
