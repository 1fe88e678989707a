#pragma once
// The checksum at the end of each gzip member, eight bytes at a time.
//
// Source: RFC 1952 section 8; the tables are those of "slicing by 8" (Kounavis and Berry, 2005).

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace knarr::layer {

class Crc32 {
public:
    void update(std::string_view bytes) {
        static_assert(std::endian::native == std::endian::little);
        while (bytes.size() >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, bytes.data(), sizeof word);
            word ^= state_;
            state_ = 0;
            for (unsigned i = 0; i < 8; ++i) {
                state_ ^= kTables[7 - i][(word >> (8 * i)) & 0xFF];
            }
            bytes.remove_prefix(8);
        }
        for (const char one : bytes) {
            state_ = (state_ >> 8) ^ kTables[0][(state_ ^ static_cast<unsigned char>(one)) & 0xFF];
        }
    }
    std::uint32_t value() const { return ~state_; }

private:
    /// kTables[n][byte]: what the byte is worth with n bytes after it.
    static constexpr std::array<std::array<std::uint32_t, 256>, 8> kTables = [] {
        std::array<std::array<std::uint32_t, 256>, 8> tables{};
        for (std::uint32_t byte = 0; byte < 256; ++byte) {
            std::uint32_t value = byte;
            for (int bit = 0; bit < 8; ++bit) {
                value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320U : 0);
            }
            tables[0][byte] = value;
        }
        for (std::size_t n = 1; n < 8; ++n) {
            for (std::size_t byte = 0; byte < 256; ++byte) {
                const std::uint32_t before = tables[n - 1][byte];
                tables[n][byte] = (before >> 8) ^ tables[0][before & 0xFF];
            }
        }
        return tables;
    }();
    std::uint32_t state_ = 0xFFFFFFFFU;
};

}  // namespace knarr::layer
