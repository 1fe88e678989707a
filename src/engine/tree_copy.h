#pragma once
// Copying files between a container and what is outside of it, by descriptor and through no link.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "platform/file.h"

namespace knarr::engine {

/// Of trees that are walked side by side: each level holds two descriptors, of 1024 as a rule.
inline constexpr int kMaxTreeDepth = 400;

/// Who owns the copies; nothing: who owns the originals.
struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
};

struct CopyRules {
    std::optional<Owner> owner = {};
    /// From a container to the host or another container, which is not to trust what it gets: where
    /// the owner is replaced there are neither set-user-ID bits nor devices, and a directory that
    /// is there already keeps its owner, mode and times.
    bool to_host = false;
};

/// What was not copied, counted.
struct LeftOut {
    std::uint64_t devices = 0, kernel_views = 0;
};

/// Copies the entry `from_name` of one directory to `to_name` in the other: a file in place of a
/// file, a link as a link, a directory with all that is in it into one that may be there; devices
/// and FIFOs are made, sockets left out. Modes and times are those of the originals, files with
/// several names have them in the copy. Nothing is followed, so both sides may be hostile; what
/// changes meanwhile is copied as it is found. Of file systems that only show the kernel (proc,
/// sysfs, cgroup) below `from_name` there are the directories that they are mounted on alone.
/// Errors: invalid_argument where a directory would replace something else or the other way round;
/// limit_exceeded for a tree that is too deep.
Result<LeftOut> copy_entry(const sys::Fd& from_dir,
                           const std::string& from_name,
                           const sys::Fd& to_dir,
                           const std::string& to_name,
                           const CopyRules& rules);
/// All entries of a directory into another one.
Result<LeftOut> copy_entries(const sys::Fd& from_dir,
                             const sys::Fd& to_dir,
                             const CopyRules& rules);

/// Copies all that is in `from` into `to`, which is empty and nobody else's, with extended
/// attributes (where the file system can keep them) and with files that have several names; gives
/// `to` itself the attributes of `from`. A whiteout of a layer is left out.
/// Errors: limit_exceeded for a tree that is too deep.
Result<> copy_tree(const sys::Fd& from, const sys::Fd& to);
/// Gives a file or directory the owner, mode, times and extended attributes of another one.
Result<> copy_attributes(const sys::Fd& from, const sys::Fd& to);
/// What the kernel keeps in a layer for overlays, and shows where one is read without: whiteouts,
/// and extended attributes; these are the others.
bool is_whiteout(const struct stat& info);
using Xattrs = std::vector<std::pair<std::string, std::string>>;
Result<Xattrs> own_xattrs(const sys::Fd& fd);
inline constexpr std::uint64_t kMaxSummedEntries = 5'000'000;
/// What a tree takes on the disk, each file counted once, however deep it lies.
/// Errors: limit_exceeded above kMaxSummedEntries; wrong_state where directories are moved
/// meanwhile.
Result<std::uint64_t> tree_bytes(const sys::Fd& dir);

}  // namespace knarr::engine
