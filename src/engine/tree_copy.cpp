#include "engine/tree_copy.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/text.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/node.h"

namespace knarr::engine {

namespace {

constexpr int kMaxDepth = 512;  // each level holds two descriptors

struct Copy {
    std::optional<Owner> owner;

    Result<> attributes(const sys::Fd& dir, const std::string& name, struct stat info) const {
        if (owner) {
            info.st_uid = owner->uid;
            info.st_gid = owner->gid;
        }
        return sys::set_attributes_at(dir, name, info);
    }

    static Result<> file(const sys::Fd& from_dir,
                         const std::string& from_name,
                         const sys::Fd& to_dir,
                         const std::string& to_name) {
        const sys::Fd from =
            KNARR_TRY(sys::open_at(from_dir, from_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        if (!S_ISREG(KNARR_TRY(sys::stat_of(from)).st_mode)) {
            return fail(Errc::io, "it was replaced meanwhile");
        }
        KNARR_TRY(sys::unlink_at(to_dir, to_name));  // whatever shares the file keeps its content
        const sys::Fd to = KNARR_TRY(
            sys::open_at(to_dir, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
        KNARR_TRY(sys::copy_sparse(from, to));
        return {};
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
        constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW;
        const sys::Fd from = KNARR_TRY(sys::open_at(from_dir, from_name, kFlags));
        const sys::Fd to = KNARR_TRY(sys::open_at(to_dir, to_name, kFlags));
        return entries(from, to, depth + 1);
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
        if (!info) {
            return {};  // it is gone again
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
        return attributes(to_dir, to_name, *info);
    }
};

}  // namespace

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
