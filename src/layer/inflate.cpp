#include "layer/inflate.h"

#include <array>
#include <string>

#include <zstd.h>

#include "core/limits.h"
#include "layer/crc32.h"
#include "layer/deflate.h"

namespace knarr::layer {

namespace {

constexpr std::size_t kPieceBytes = 256 * size::kKiB;
constexpr std::size_t kMagicBytes = 4;
constexpr int kMaxZstdWindowLog = 27;  // 128 MiB: what the zstd program itself accepts

/// The blob's own bytes. Positions are kept here, the descriptor's is left alone.
class FileSource : public ByteSource {
public:
    explicit FileSource(const sys::Fd& file) : file_(file), buffer_(kPieceBytes, '\0') {}

    Result<std::string_view> next() override {
        const std::size_t got = KNARR_TRY(sys::read_full(file_, buffer_), "read blob");
        return std::string_view(buffer_).substr(0, got);
    }

private:
    const sys::Fd& file_;
    std::string buffer_;
};

/// A blob that somebody still writes.
class GrowingFile : public ByteSource {
public:
    GrowingFile(const sys::Fd& file, const sys::Fd& news)
        : file_(file), news_(news), buffer_(kPieceBytes, '\0') {}

    Result<std::string_view> next() override {
        std::size_t have = 0;
        // Enough to tell the compression by.
        while (have < kMagicBytes) {
            const std::size_t got =
                KNARR_TRY(sys::read_some(file_, std::span(buffer_).subspan(have)), "read blob");
            have += got;
            if (got == 0) {
                if (whole_) {
                    break;
                }
                std::array<char, 256> word{};
                whole_ = KNARR_TRY(sys::read_some(news_, word)) == 0;
            }
        }
        return std::string_view(buffer_).substr(0, have);
    }

private:
    const sys::Fd& file_;
    const sys::Fd& news_;
    std::string buffer_;
    bool whole_ = false;
};

/// Puts the bytes that were looked at before the rest.
class Rewound : public ByteSource {
public:
    Rewound(std::string first, std::unique_ptr<ByteSource> rest)
        : first_(std::move(first)), rest_(std::move(rest)) {}

    Result<std::string_view> next() override {
        if (!first_done_ && !first_.empty()) {
            first_done_ = true;
            return std::string_view(first_);
        }
        return rest_->next();
    }

private:
    std::string first_;
    std::unique_ptr<ByteSource> rest_;
    bool first_done_ = false;
};

/// Source: RFC 1952.
class GzipSource : public ByteSource {
public:
    GzipSource(std::unique_ptr<ByteSource> inner, Proof proof)
        : inner_(std::move(inner)), deflate_(*inner_), proof_(proof) {}

    Result<std::string_view> next() override {
        while (!ended_) {
            if (between_members_ && !KNARR_TRY(begin_member())) {
                ended_ = true;
                break;
            }
            const std::string_view piece = KNARR_TRY(deflate_.next());
            if (!piece.empty()) {
                bytes_ += static_cast<std::uint32_t>(piece.size());
                if (proof_ == Proof::checksum) {
                    crc_.update(piece);
                }
                return piece;
            }
            const std::uint32_t crc = KNARR_TRY(number(4));
            if (proof_ == Proof::checksum && crc != crc_.value()) {
                return fail(Errc::invalid_image, "the gzip data is damaged (incorrect checksum)");
            }
            if (KNARR_TRY(number(4)) != bytes_) {
                return fail(Errc::invalid_image, "the gzip data is damaged (incorrect length)");
            }
            between_members_ = true;
        }
        return std::string_view{};
    }

private:
    Result<std::uint8_t> byte() {
        if (const auto one = KNARR_TRY(deflate_.byte())) {
            return *one;
        }
        return fail(Errc::invalid_image, "the gzip data is cut off");
    }
    Result<std::uint32_t> number(unsigned bytes) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < bytes; ++i) {
            value |= std::uint32_t{KNARR_TRY(byte())} << (8 * i);
        }
        return value;
    }
    Result<> skip_text() {
        while (KNARR_TRY(byte()) != 0) {
        }
        return {};
    }

    /// False at the end. Members follow each other; anything else after one is padding, as gzip has
    /// it.
    Result<bool> begin_member() {
        const auto first = KNARR_TRY(deflate_.byte());
        if (!first || *first != 0x1f) {
            return members_ != 0 ? Result<bool>(false)
                                 : fail(Errc::invalid_image, "the gzip data is cut off");
        }
        if (KNARR_TRY(byte()) != 0x8b || KNARR_TRY(byte()) != 8) {
            return fail(Errc::invalid_image, "the gzip data is damaged (incorrect header)");
        }
        const unsigned flags = KNARR_TRY(byte());
        if ((flags & 0xE0U) != 0) {
            return fail(Errc::invalid_image, "the gzip data is damaged (unknown header flags)");
        }
        KNARR_TRY(number(4));  // when
        KNARR_TRY(number(2));  // how, and on what system
        if ((flags & kExtra) != 0) {
            for (std::uint32_t left = KNARR_TRY(number(2)); left != 0; --left) {
                KNARR_TRY(byte());
            }
        }
        for (const unsigned text : {kName, kComment}) {
            if ((flags & text) != 0) {
                KNARR_TRY(skip_text());
            }
        }
        if ((flags & kHeaderCrc) != 0) {
            KNARR_TRY(number(2));
        }
        deflate_.begin();
        bytes_ = 0;
        crc_ = {};
        ++members_;
        between_members_ = false;
        return true;
    }

    static constexpr unsigned kHeaderCrc = 2, kExtra = 4, kName = 8, kComment = 16;
    std::unique_ptr<ByteSource> inner_;
    DeflateReader deflate_;
    Proof proof_;
    Crc32 crc_;                // of the member
    std::uint32_t bytes_ = 0;  // of the member, as far as 32 bits go
    std::uint64_t members_ = 0;
    bool between_members_ = true, ended_ = false;
};

class ZstdSource : public ByteSource {
public:
    explicit ZstdSource(std::unique_ptr<ByteSource> inner)
        : inner_(std::move(inner)), buffer_(kPieceBytes, '\0'), state_(ZSTD_createDStream()) {
        if (state_ != nullptr) {
            ZSTD_DCtx_setParameter(state_, ZSTD_d_windowLogMax, kMaxZstdWindowLog);
        }
    }
    ZstdSource(const ZstdSource&) = delete;
    ZstdSource& operator=(const ZstdSource&) = delete;
    ~ZstdSource() override { ZSTD_freeDStream(state_); }

    Result<std::string_view> next() override {
        if (state_ == nullptr) {
            return fail(Errc::internal, "zstd does not start");
        }
        ZSTD_outBuffer out{.dst = buffer_.data(), .size = buffer_.size(), .pos = 0};
        while (out.pos == 0) {
            if (in_.pos == in_.size) {
                const std::string_view piece = KNARR_TRY(inner_->next());
                if (piece.empty()) {
                    // What zstd still holds back comes without further input.
                    ZSTD_inBuffer none{.src = "", .size = 0, .pos = 0};
                    if (in_frame_) {
                        const std::size_t left = ZSTD_decompressStream(state_, &out, &none);
                        if (out.pos != 0 && ZSTD_isError(left) == 0) {
                            in_frame_ = left != 0;
                            break;
                        }
                        return fail(Errc::invalid_image, "the zstd data is cut off");
                    }
                    break;
                }
                in_ = {.src = piece.data(), .size = piece.size(), .pos = 0};
            }
            const std::size_t left = ZSTD_decompressStream(state_, &out, &in_);
            if (ZSTD_isError(left) != 0) {
                return fail(
                    Errc::invalid_image, "the zstd data is damaged ({})", ZSTD_getErrorName(left));
            }
            in_frame_ = left != 0;
        }
        return std::string_view(buffer_).substr(0, out.pos);
    }

private:
    std::unique_ptr<ByteSource> inner_;
    std::string buffer_;
    ZSTD_DStream* state_;
    ZSTD_inBuffer in_{.src = nullptr, .size = 0, .pos = 0};
    bool in_frame_ = false;
};

bool is_gzip(std::string_view head) {
    return head.starts_with("\x1f\x8b");
}

/// A frame, or a skippable one. Source: RFC 8878 sections 3.1.1 and 3.1.2.
bool is_zstd(std::string_view head) {
    if (head.size() < 4) {
        return false;
    }
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(head[at]); };
    return head.starts_with("\x28\xb5\x2f\xfd") ||
           ((byte(0) & 0xF0U) == 0x50 && byte(1) == 0x2A && byte(2) == 0x4D && byte(3) == 0x18);
}

}  // namespace

Result<std::unique_ptr<LayerStream>> LayerStream::open(const sys::Fd& blob,
                                                       spec::Compression stated,
                                                       std::uint64_t max_bytes,
                                                       Proof proof) {
    return open_source(std::make_unique<FileSource>(blob), stated, max_bytes, proof);
}

Result<std::unique_ptr<LayerStream>> LayerStream::open_growing(const sys::Fd& blob,
                                                               const sys::Fd& news,
                                                               spec::Compression stated,
                                                               std::uint64_t max_bytes) {
    return open_source(std::make_unique<GrowingFile>(blob, news), stated, max_bytes, Proof::digest);
}

Result<std::unique_ptr<LayerStream>> LayerStream::open_source(std::unique_ptr<ByteSource> file,
                                                              spec::Compression stated,
                                                              std::uint64_t max_bytes,
                                                              Proof proof) {
    std::string first(KNARR_TRY(file->next()));
    const bool gzip = is_gzip(first);
    const bool zstd = is_zstd(first);
    if (!gzip && !zstd && stated != spec::Compression::none) {
        return fail(Errc::invalid_image,
                    "the media type says {}, but the bytes are neither gzip nor zstd",
                    stated == spec::Compression::gzip ? "gzip" : "zstd");
    }
    std::unique_ptr<ByteSource> source =
        std::make_unique<Rewound>(std::move(first), std::move(file));
    if (gzip) {
        source = std::make_unique<GzipSource>(std::move(source), proof);
    } else if (zstd) {
        source = std::make_unique<ZstdSource>(std::move(source));
    }
    return std::unique_ptr<LayerStream>(new LayerStream(std::move(source), max_bytes));
}

Result<std::string_view> LayerStream::next() {
    const std::string_view piece = KNARR_TRY(inner_->next());
    bytes_ += piece.size();
    if (bytes_ > max_bytes_) {
        return fail(Error{.code = Errc::limit_exceeded,
                          .message = fmt::format(
                              "there are more than {} bytes when it is decompressed", max_bytes_),
                          .hint = kPolicyHint});
    }
    sum_.update(piece);
    return piece;
}

Result<spec::Digest> LayerStream::finish() {
    while (!KNARR_TRY(next()).empty()) {
    }
    return sum_.finish();
}

}  // namespace knarr::layer
