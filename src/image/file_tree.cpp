#include "image/file_tree.h"

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <linux/openat2.h>

#include "core/core.h"
#include "image/archive_index.h"
#include "platform/file.h"

namespace knarr::image {
namespace {

class SliceStream final : public ByteStream {
public:
    SliceStream(FileSlice slice, std::string media_type)
        : slice_(std::move(slice)), media_type_(std::move(media_type)) {}

    int poll_fd() const override { return slice_.file.get(); }
    std::string media_type() const override { return media_type_; }
    Result<Chunk> read(std::span<char> buffer) override {
        if (slice_.size == 0) {
            return Chunk{.at_end = true};
        }
        const auto part = buffer.first(std::min<std::uint64_t>(buffer.size(), slice_.size));
        KNARR_TRY(sys::read_at(slice_.file, part, slice_.offset));
        slice_.offset += part.size();
        slice_.size -= part.size();
        return Chunk{.bytes = part.size(), .at_end = slice_.size == 0};
    }

private:
    FileSlice slice_;
    std::string media_type_;
};

class TextStream final : public ByteStream {
public:
    TextStream(std::string bytes, std::string media_type)
        : bytes_(std::move(bytes)), media_type_(std::move(media_type)) {}

    int poll_fd() const override { return -1; }
    std::string media_type() const override { return media_type_; }
    Result<Chunk> read(std::span<char> buffer) override {
        const std::size_t count = std::min(buffer.size(), bytes_.size() - at_);
        std::memcpy(buffer.data(), bytes_.data() + at_, count);
        at_ += count;
        return Chunk{.bytes = count, .at_end = at_ == bytes_.size()};
    }

private:
    std::string bytes_, media_type_;
    std::size_t at_ = 0;
};

class DirectoryTree final : public FileTree {
public:
    explicit DirectoryTree(sys::Fd directory) : directory_(std::move(directory)) {}

    Result<FileSlice> open(const std::string& name) const override {
        // O_NONBLOCK: a FIFO must not hold us up before it is refused.
        auto file = sys::open_how(
            directory_, name, O_RDONLY | O_NONBLOCK, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
        if (!file) {
            Error error = std::move(file).error();
            error.code = Errc::invalid_image;
            return fail(std::move(error));
        }
        const struct stat info = KNARR_TRY(sys::stat_of(*file));
        if (!S_ISREG(info.st_mode)) {
            return fail(Errc::invalid_image, "{} is no regular file", printable(name));
        }
        return FileSlice{.file = *std::move(file),
                         .offset = 0,
                         .size = static_cast<std::uint64_t>(info.st_size)};
    }

private:
    sys::Fd directory_;
};

class ArchiveTree final : public FileTree {
public:
    ArchiveTree(sys::Fd file, ArchiveIndex index)
        : file_(std::move(file)), index_(std::move(index)) {}

    Result<FileSlice> open(const std::string& name) const override {
        const ArchiveEntry entry = KNARR_TRY(index_.find(name));
        sys::Fd copy = KNARR_TRY(sys::duplicate(file_));
        return FileSlice{.file = std::move(copy), .offset = entry.offset, .size = entry.size};
    }

private:
    sys::Fd file_;
    ArchiveIndex index_;
};

}  // namespace

Result<std::unique_ptr<FileTree>> open_directory_tree(const std::string& path) {
    sys::Fd directory = KNARR_TRY(sys::open_path(path, O_RDONLY | O_DIRECTORY));
    return std::unique_ptr<FileTree>(std::make_unique<DirectoryTree>(std::move(directory)));
}

Result<std::unique_ptr<FileTree>> open_archive_tree(const std::string& path) {
    sys::Fd file = KNARR_TRY(sys::open_path(path, O_RDONLY | O_NONBLOCK));
    return KNARR_TRY(open_archive_tree(std::move(file)), "{}", path);
}

Result<std::unique_ptr<FileTree>> open_archive_tree(sys::Fd file) {
    const struct stat info = KNARR_TRY(sys::stat_of(file));
    if (!S_ISREG(info.st_mode)) {
        return fail(Errc::invalid_image, "it is no regular file");
    }
    ArchiveIndex index =
        KNARR_TRY(ArchiveIndex::read(file, static_cast<std::uint64_t>(info.st_size)));
    return std::unique_ptr<FileTree>(
        std::make_unique<ArchiveTree>(std::move(file), std::move(index)));
}

Result<std::string> read_file(const FileTree& tree, const std::string& name, std::size_t max) {
    const FileSlice slice = KNARR_TRY(tree.open(name));
    if (slice.size > max) {
        return fail(Errc::limit_exceeded,
                    "{} has {} bytes; at most {} are allowed",
                    printable(name),
                    slice.size,
                    max);
    }
    std::string text(slice.size, '\0');
    KNARR_TRY(sys::read_at(slice.file, text, slice.offset), "read {}", printable(name));
    return text;
}

std::unique_ptr<ByteStream> stream_of(FileSlice slice, std::string media_type) {
    return std::make_unique<SliceStream>(std::move(slice), std::move(media_type));
}

std::unique_ptr<ByteStream> stream_of(std::string bytes, std::string media_type) {
    return std::make_unique<TextStream>(std::move(bytes), std::move(media_type));
}

}  // namespace knarr::image
