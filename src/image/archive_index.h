#pragma once
// Where the files of a tar archive lie. Nothing is unpacked.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "platform/fd.h"

namespace knarr::image {

/// An image archive has a few files per layer; far more is an attack.
inline constexpr std::size_t kMaxArchiveEntries = 10'000;
/// A pax header or a long name.
inline constexpr std::size_t kMaxArchiveHeaderBytes = std::size_t{64} * 1024;
inline constexpr int kMaxArchiveLinks = 8;

struct ArchiveEntry {
    std::uint64_t offset = 0, size = 0;
    std::string link = {};  ///< the name that a link means, inside the archive
};

/// Source: POSIX pax ("ustar Interchange Format", "pax Header"), GNU tar's long names.
class ArchiveIndex {
public:
    /// Reads the headers of `file`, which has `size` bytes.
    /// Errors: invalid_image; limit_exceeded past the bounds above.
    static Result<ArchiveIndex> read(const sys::Fd& file, std::uint64_t size);

    /// The regular file of that name, through links inside the archive.
    /// Errors: invalid_image when there is none.
    Result<ArchiveEntry> find(std::string_view name) const;

private:
    std::map<std::string, ArchiveEntry, std::less<>> entries_;
};

/// "a/../b/./c" as "b/c"; ".." at the top stays at the top.
std::string clean_name(std::string_view name);

}  // namespace knarr::image
