#pragma once
// erofs: a tree of files as an EROFS metadata image that the kernel can mount.
//
//   tree      what the files are: inodes with numbers, directories with names
//   image     superblock, inodes, directories and attributes, and no content
//   device    another file with contents; regular files are runs of its blocks. A layer has one,
//             an image merged of several layers one of each
//
// check.h judges images that somebody else wrote, and reads them; merge.h puts trees on each other;
// format.h has the numbers of the format.
//
// In: a Tree. Out: the image's bytes, piece by piece. Pure: no file is opened here. Blocks have 512
// bytes, as a tar's: so a device can be the tar itself (kernel 6.4 or newer).
// Source: kernel fs/erofs/erofs_fs.h, Documentation/filesystems/erofs.rst.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knarr/result.h"

namespace knarr::erofs {

inline constexpr unsigned kBlockBits = 9;
inline constexpr std::uint64_t kBlockBytes = 1U << kBlockBits;
/// The address of blocks that are not stored and read as zeros.
inline constexpr std::uint32_t kHole = 0xFFFFFFFF;
/// The kernel's bound for one attribute's value (XATTR_SIZE_MAX).
inline constexpr std::size_t kMaxXattrValue = 65536;

/// More are refused, written or read.
inline constexpr std::size_t kMaxInodes = std::size_t{1} << 22;

/// How many blocks each has.
using Devices = std::vector<std::uint64_t>;
inline constexpr std::size_t kMaxDevices = 1024;

/// What few inodes have.
struct Extra {
    std::vector<std::pair<std::string, std::string>> xattrs;  // full names
    std::string target;                                       // of a symbolic link
    std::map<std::string, std::uint32_t> entries;             // of a directory: inode numbers
    /// Of a file that is not one run: a device block for each 2^chunk_bits bytes, or kHole.
    std::vector<std::uint32_t> chunks;
    unsigned chunk_bits = 0;
};

struct Inode {
    std::uint16_t mode = 0;    // with the type, as in stat
    std::uint16_t device = 0;  // which one, from 0, has the content of a regular file
    std::uint32_t uid = 0, gid = 0;
    std::int64_t mtime_s = 0;
    std::uint32_t mtime_ns = 0;
    std::uint32_t device_major = 0, device_minor = 0;
    std::uint64_t size = 0;             // of a regular file
    std::uint32_t first_block = kHole;  // of a regular file in one run, when it is not empty
    std::unique_ptr<Extra> extra;       // may be null

    Extra& more() {
        if (!extra) {
            extra = std::make_unique<Extra>();
        }
        return *extra;
    }
};

/// Inode 0 is the root directory. One that no name leads to is left out of the image; one with
/// several names is a file with hard links.
struct Tree {
    std::vector<Inode> inodes;
};

using Sink = std::function<Result<>(std::string_view)>;

/// Writes the image of `tree`; what it has in bytes.
/// Errors: limit_exceeded for attributes beyond what the format or the kernel takes, and past 2^32
/// blocks; internal for a tree that is none.
Result<std::uint64_t> encode(const Tree& tree, const Devices& devices, const Sink& sink);

/// A name as EROFS keeps it: a number for what it begins with, and the rest. Zero: it has none for
/// that.
struct XattrName {
    std::uint8_t index = 0;
    std::string_view rest;
};
XattrName split_xattr_name(std::string_view name);
/// What the names of such a number begin with; for 2 and 3 the whole name.
std::string_view xattr_prefix(std::uint8_t index);

}  // namespace knarr::erofs
