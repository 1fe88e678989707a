#pragma once
// Decompresses DEFLATE (RFC 1951) about three times as fast as zlib: tables that give a whole
// symbol in one look-up, 64 bits of input at a time, matches copied in words. It reads through a
// window that it hands out as it is, so nothing is copied but the last 32 KiB of each piece.
//
// The data is hostile: every look-up is bounded by the size of its table, every copy by what was
// written before. Runs in the layer's jailed worker. Compared with zlib by tests and a fuzz target.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "layer/deflate_code.h"
#include "layer/inflate.h"

namespace knarr::layer {

class DeflateReader {
public:
    /// `source` outlives this.
    explicit DeflateReader(ByteSource& source);

    /// Begins a stream at the next byte; what earlier ones gave is out of reach for it.
    void begin();
    /// The next piece of the stream, valid until the next call; empty at its end.
    /// Errors: invalid_image for damaged or cut off data.
    Result<std::string_view> next();

    // Between streams: whole bytes of the source.
    /// Nothing at the end of the source.
    Result<std::optional<std::uint8_t>> byte();

private:
    enum class State : std::uint8_t { header, stored, codes, ended };

    Result<> fill_input();
    Result<> refill();
    Result<std::uint32_t> take(unsigned count);
    Result<> read_header();
    Result<> read_lengths();
    void use_fixed_codes();
    Result<> copy_stored();
    Result<> decode();
    bool decode_fast(Result<>& error);
    Result<> decode_one();

    ByteSource& source_;
    std::string input_;
    const unsigned char* in_ = nullptr;
    const unsigned char* in_end_ = nullptr;
    bool source_ended_ = false;

    std::uint64_t bits_ = 0;
    unsigned count_ = 0;    // of bits that are there
    unsigned phantom_ = 0;  // of those, bytes that stand for the end of the source

    std::string window_;
    std::size_t begin_ = 0;  // of the stream's data in the window: nothing before may be copied
    std::size_t out_ = 0;    // where the next byte goes
    State state_ = State::ended;
    bool last_block_ = false;
    std::size_t stored_left_ = 0;
    code::LitTable lit_{};
    code::DistTable dist_{};
};

}  // namespace knarr::layer
