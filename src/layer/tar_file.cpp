#include "layer/tar_file.h"

#include <algorithm>

#include "core/limits.h"
#include "core/text.h"
#include "platform/disk.h"

namespace knarr::layer {

namespace {
// A header is mostly followed by data that is passed over: little more is read than needed.
constexpr std::size_t kPieceBytes = 4 * size::kKiB;
// Hand data to the disk early, so that the sync at the end has little left to wait for.
constexpr std::uint64_t kFlushBytes = 16 * size::kMiB;
}  // namespace

TarFile::TarFile(const sys::Fd& file, std::uint64_t bytes)
    : file_(file), bytes_(bytes), buffer_(kPieceBytes, '\0') {}

Result<std::string_view> TarFile::next() {
    const std::size_t size = std::min<std::uint64_t>(buffer_.size(), bytes_ - at_);
    KNARR_TRY(sys::read_at(file_, std::span(buffer_.data(), size), at_), "read the tar");
    at_ += size;
    return std::string_view(buffer_).substr(0, size);
}

Result<std::uint64_t> TarFile::skip(std::uint64_t bytes) {
    const std::uint64_t passed = std::min(bytes, bytes_ - at_);
    at_ += passed;
    return passed;
}

Result<WrittenTar> write_tar(LayerStream& stream, const sys::Fd& file) {
    std::uint64_t bytes = 0, flushed = 0;
    while (true) {
        const std::string_view piece = KNARR_TRY(stream.next());
        if (piece.empty()) {
            break;
        }
        KNARR_TRY(sys::write_all(file, piece), "write the tar");
        bytes += piece.size();
        if (bytes - flushed >= kFlushBytes) {
            sys::start_writeback(file, flushed, bytes - flushed);
            flushed = bytes;
        }
    }
    return WrittenTar{.bytes = bytes, .diff_id = KNARR_TRY(stream.finish())};
}

std::string encode(const WrittenTar& tar) {
    return fmt::format("{} {}", tar.bytes, tar.diff_id.text());
}

Result<WrittenTar> decode_written_tar(std::string_view text) {
    const std::size_t blank = text.find(' ');
    const auto bytes = parse_number(text.substr(0, blank));
    if (blank == std::string_view::npos || !bytes) {
        return fail(Errc::internal, "the worker sent a malformed result");
    }
    return WrittenTar{.bytes = *bytes,
                      .diff_id = KNARR_TRY(spec::Digest::parse(text.substr(blank + 1)))};
}

}  // namespace knarr::layer
