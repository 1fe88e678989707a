#pragma once
// A layer's tar on the disk: written once while it is decompressed, then read for its headers only.

#include "layer/inflate.h"

namespace knarr::layer {

/// The bytes of a file from its beginning; its own position is left alone.
class TarFile final : public ByteSource {
public:
    /// `file` outlives this. `bytes` of it are the tar.
    TarFile(const sys::Fd& file, std::uint64_t bytes);
    Result<std::string_view> next() override;
    Result<std::uint64_t> skip(std::uint64_t bytes) override;

private:
    const sys::Fd& file_;
    std::uint64_t bytes_, at_ = 0;
    std::string buffer_;
};

struct WrittenTar {
    std::uint64_t bytes = 0;
    spec::Digest diff_id;
};
/// Writes all of `stream` to `file`, which is empty.
Result<WrittenTar> write_tar(LayerStream& stream, const sys::Fd& file);

/// As a worker hands it back. Errors: internal, for what is malformed.
std::string encode(const WrittenTar& tar);
Result<WrittenTar> decode_written_tar(std::string_view text);

}  // namespace knarr::layer
