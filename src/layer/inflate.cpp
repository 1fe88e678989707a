#include "layer/inflate.h"

#include <array>
#include <string>

#include <zlib.h>
#include <zstd.h>

namespace knarr::layer {

namespace {

constexpr std::size_t kPieceBytes = 256 * 1024;
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

class GzipSource : public ByteSource {
public:
    explicit GzipSource(std::unique_ptr<ByteSource> inner)
        : inner_(std::move(inner)), buffer_(kPieceBytes, '\0') {
        constexpr int kGzipOnly = 15 + 16;
        ready_ = inflateInit2(&state_, kGzipOnly) == Z_OK;
    }
    GzipSource(const GzipSource&) = delete;
    GzipSource& operator=(const GzipSource&) = delete;
    ~GzipSource() override {
        if (ready_) {
            inflateEnd(&state_);
        }
    }

    Result<std::string_view> next() override {
        if (!ready_) {
            return fail(Errc::internal, "zlib does not start");
        }
        state_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
        state_.avail_out = static_cast<uInt>(buffer_.size());
        while (state_.avail_out == buffer_.size() && !ended_) {
            KNARR_TRY(step());
        }
        return std::string_view(buffer_).substr(0, buffer_.size() - state_.avail_out);
    }

private:
    Result<> step() {
        if (state_.avail_in == 0) {
            const std::string_view piece = KNARR_TRY(inner_->next());
            state_.next_in = reinterpret_cast<z_const Bytef*>(const_cast<char*>(piece.data()));
            state_.avail_in = static_cast<uInt>(piece.size());
            if (piece.empty()) {
                if (!between_members_) {
                    return fail(Errc::invalid_image, "the gzip data is cut off");
                }
                ended_ = true;
                return {};
            }
        }
        if (between_members_) {
            // Members follow each other; anything else after one is padding, as gzip has it.
            if (*state_.next_in != 0x1f) {
                ended_ = true;
                return {};
            }
            inflateReset(&state_);
            between_members_ = false;
        }
        const int code = inflate(&state_, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {
            between_members_ = true;
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            return fail(Errc::invalid_image,
                        "the gzip data is damaged ({})",
                        state_.msg != nullptr ? state_.msg : "no reason given");
        }
        return {};
    }

    std::unique_ptr<ByteSource> inner_;
    std::string buffer_;
    z_stream state_{};
    bool ready_ = false, between_members_ = false, ended_ = false;
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
                                                       std::uint64_t max_bytes) {
    auto file = std::make_unique<FileSource>(blob);
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
        source = std::make_unique<GzipSource>(std::move(source));
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
                              "the layer is larger than {} bytes when decompressed", max_bytes_),
                          .hint = "limits.max_layer_bytes bounds it"});
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
