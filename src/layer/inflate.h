#pragma once
// The bytes of a layer's tar, in pieces: decompressed, counted and hashed as they come.

#include <cstdint>
#include <memory>
#include <string_view>

#include "platform/fd.h"
#include "spec/image.h"
#include "store/sha256.h"

namespace knarr::layer {

/// What to do about more than Limits allow.
inline constexpr const char* kPolicyHint =
    "the policy bounds it: --policy default allows more than strict, nothing allows more";

/// Bytes in pieces.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    /// The next piece, valid until the next call; empty at the end.
    /// Errors: invalid_image for damaged or cut off data.
    virtual Result<std::string_view> next() = 0;
    /// Passes over up to so many bytes, if that is cheaper than to hand them out; how many.
    virtual Result<std::uint64_t> skip(std::uint64_t /*bytes*/) { return 0; }
};

/// What tells that the bytes which come out are those that went in: a digest, which whoever asks
/// compares, or nothing but gzip's own checksum, which costs a tenth of the time. zstd checks its
/// own wherever there is one.
enum class Proof : std::uint8_t { digest, checksum };

/// The tar inside a blob. Which compression it has is told by its first bytes, as Docker does: a
/// manifest may say gzip of a zstd layer. gzip with several members, zstd with
/// several frames (window at most 128 MiB), or plain.
class LayerStream : public ByteSource {
public:
    /// `blob` is read from its beginning and must outlive this. `max_bytes` bounds the tar.
    /// Errors: invalid_image when `stated` is a compression and the bytes have none.
    static Result<std::unique_ptr<LayerStream>> open(const sys::Fd& blob,
                                                     spec::Compression stated,
                                                     std::uint64_t max_bytes,
                                                     Proof proof = Proof::digest);

    /// The same of a blob that is still written: what has come is read, and when that is all, a
    /// byte from `news` says that there is more, its end that the blob is whole.
    static Result<std::unique_ptr<LayerStream>> open_growing(const sys::Fd& blob,
                                                             const sys::Fd& news,
                                                             spec::Compression stated,
                                                             std::uint64_t max_bytes);

    /// Errors: limit_exceeded past max_bytes, naming the limit.
    Result<std::string_view> next() override;
    /// Reads what is left, so that the digest covers all of it, and ends the sum.
    Result<spec::Digest> finish();

private:
    static Result<std::unique_ptr<LayerStream>> open_source(std::unique_ptr<ByteSource> file,
                                                            spec::Compression stated,
                                                            std::uint64_t max_bytes,
                                                            Proof proof);
    LayerStream(std::unique_ptr<ByteSource> inner, std::uint64_t max_bytes)
        : inner_(std::move(inner)), max_bytes_(max_bytes) {}
    std::unique_ptr<ByteSource> inner_;
    std::uint64_t max_bytes_, bytes_ = 0;
    store::Sha256 sum_;
};

}  // namespace knarr::layer
