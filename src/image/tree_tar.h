#pragma once

#include <cstdint>
#include <string>

#include "platform/fd.h"

namespace knarr::image {

/// Writes what is below `root` to `out` as a tar: names, owners, modes, times, hard links, devices,
/// extended attributes. Nothing is followed out of the tree or across a mount; sockets are left
/// out, as docker does. What changes meanwhile is written as it is found.
/// Errors: limit_exceeded for a tree that is too deep.
/// Source: POSIX pax(1), "pax Interchange Format"; SCHILY.xattr as docker, GNU tar and libarchive
/// read it.
Result<> write_tree(const sys::Fd& root, const sys::Fd& out);

/// The same for one entry of a directory, with all that is below it, which is `as` in the tar.
/// Mounts are gone into, but for those that only show the kernel (proc, sysfs, cgroup): how many of
/// them were left out.
Result<std::uint64_t> write_entry(const sys::Fd& dir,
                                  const std::string& name,
                                  const std::string& as,
                                  const sys::Fd& out);

}  // namespace knarr::image
