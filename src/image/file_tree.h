#pragma once
// The files of an image that lies on disk: in a directory, or in a tar archive.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "image/source.h"
#include "platform/fd.h"

namespace knarr::image {

/// Images of one archive or layout: each is read and stored by itself.
inline constexpr std::size_t kMaxArchiveImages = 1000;
/// The names of all of them together: each is a write to the disk. One of a layout has one at most.
inline constexpr std::size_t kMaxArchiveNames = 4000;

/// A piece of a regular file.
struct FileSlice {
    sys::Fd file;
    std::uint64_t offset = 0, size = 0;
};

/// Regular files by name, "blobs/sha256/ab...". The names are data: nothing outside is reachable.
class FileTree {
public:
    virtual ~FileTree() = default;
    /// Errors: invalid_image when there is no such regular file.
    virtual Result<FileSlice> open(const std::string& name) const = 0;
};

/// The files below a directory. Links are not followed out of it.
Result<std::unique_ptr<FileTree>> open_directory_tree(const std::string& path);
/// The files of an uncompressed tar archive; links inside it are followed.
/// Errors: invalid_image, also for a compressed one; limit_exceeded.
Result<std::unique_ptr<FileTree>> open_archive_tree(const std::string& path);
Result<std::unique_ptr<FileTree>> open_archive_tree(sys::Fd file);

/// A small file of the tree, whole. Errors: limit_exceeded past `max`.
Result<std::string> read_file(const FileTree& tree, const std::string& name, std::size_t max);

/// The slice as a stream; always ready. Errors while reading: when the file became shorter
/// than the slice.
std::unique_ptr<ByteStream> stream_of(FileSlice slice, std::string media_type);
/// Bytes at hand as a stream.
std::unique_ptr<ByteStream> stream_of(std::string bytes, std::string media_type);

}  // namespace knarr::image
