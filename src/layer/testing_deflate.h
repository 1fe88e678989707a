#pragma once
// zlib as the judge of our own decompression, and what it is given, for tests and the fuzz target.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include <zlib.h>

namespace knarr::layer {

/// What zlib makes of raw deflate data, up to about `max` bytes; nothing when it refuses it or
/// there is more.
inline std::optional<std::string> inflate_by_zlib(std::string_view bytes,
                                                  std::size_t max = SIZE_MAX) {
    z_stream state{};
    if (inflateInit2(&state, -15) != Z_OK) {
        std::abort();
    }
    std::string out;
    std::string buffer(1 << 16, '\0');
    state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    state.avail_in = static_cast<uInt>(bytes.size());
    int code = Z_OK;
    while (code == Z_OK && out.size() < max) {
        state.next_out = reinterpret_cast<Bytef*>(buffer.data());
        state.avail_out = static_cast<uInt>(buffer.size());
        code = inflate(&state, Z_NO_FLUSH);
        out.append(buffer, 0, buffer.size() - state.avail_out);
    }
    inflateEnd(&state);
    return code == Z_STREAM_END ? std::optional(std::move(out)) : std::nullopt;
}

/// What zlib makes of it: raw deflate data with `window` -15, a gzip member with 15 + 16.
inline std::string deflate_by_zlib(const std::string& text,
                                   int window,
                                   int level = 6,
                                   int strategy = Z_DEFAULT_STRATEGY) {
    z_stream state{};
    if (deflateInit2(&state, level, Z_DEFLATED, window, 9, strategy) != Z_OK) {
        std::abort();
    }
    std::string out(deflateBound(&state, text.size()) + 64, '\0');
    state.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    state.avail_in = static_cast<uInt>(text.size());
    state.next_out = reinterpret_cast<Bytef*>(out.data());
    state.avail_out = static_cast<uInt>(out.size());
    if (deflate(&state, Z_FINISH) != Z_STREAM_END) {
        std::abort();
    }
    out.resize(out.size() - state.avail_out);
    deflateEnd(&state);
    return out;
}

}  // namespace knarr::layer
