// Any bytes as DEFLATE data: what zlib makes of them, or refused where zlib refuses them.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include <zlib.h>

#include "layer/deflate.h"

namespace {

constexpr std::size_t kMaxOut = 1 << 24;

class Pieces : public knarr::layer::ByteSource {
public:
    explicit Pieces(std::string_view bytes) : left_(bytes) {}
    knarr::Result<std::string_view> next() override {
        size_ = size_ * 7 % 1021 + 1;
        const std::string_view piece = left_.substr(0, size_);
        left_.remove_prefix(piece.size());
        return piece;
    }

private:
    std::string_view left_;
    std::size_t size_ = 300;
};

std::optional<std::string> by_zlib(const std::uint8_t* data, std::size_t size) {
    z_stream state{};
    if (inflateInit2(&state, -15) != Z_OK) {
        std::abort();
    }
    std::string out, buffer(1 << 16, '\0');
    state.next_in = const_cast<Bytef*>(data);
    state.avail_in = static_cast<uInt>(size);
    int code = Z_OK;
    while (code == Z_OK && out.size() < kMaxOut) {
        state.next_out = reinterpret_cast<Bytef*>(buffer.data());
        state.avail_out = static_cast<uInt>(buffer.size());
        code = inflate(&state, Z_NO_FLUSH);
        out.append(buffer, 0, buffer.size() - state.avail_out);
    }
    inflateEnd(&state);
    return code == Z_STREAM_END ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Pieces source({reinterpret_cast<const char*>(data), size});
    knarr::layer::DeflateReader reader(source);
    reader.begin();
    std::optional<std::string> ours(std::in_place);
    while (ours->size() < kMaxOut) {
        const auto piece = reader.next();
        if (!piece) {
            ours.reset();
            break;
        }
        if (piece->empty()) {
            break;
        }
        *ours += *piece;
    }
    if (ours && ours->size() >= kMaxOut) {
        return 0;
    }
    if (ours != by_zlib(data, size)) {
        std::abort();
    }
    return 0;
}
