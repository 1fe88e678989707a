#pragma once
// The codes of DEFLATE as tables that give a whole symbol in one look-up, two where a code is long.
// Source: RFC 1951 section 3.2.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace knarr::layer::code {

// A table's entry: the bits that the symbol takes in bits 0-7, further bits that follow it in 8-12,
// the value (a literal, what a length or distance begins with, where a second table is) in 16-30.
inline constexpr std::uint32_t kLiteral = 1U << 31U;  // bit 15 and 14 are clear then
inline constexpr std::uint32_t kSecond = 1U << 15U;   // bits 8-12: log2 of the second table's size
inline constexpr std::uint32_t kEnd = 1U << 14U;      // the end of the block
inline constexpr std::uint32_t kInvalid = 1U << 13U;  // no code has these bits
inline constexpr std::uint32_t kSpecial = kSecond | kEnd | kInvalid;

constexpr unsigned taken(std::uint32_t entry) {
    return entry & 0xFFU;
}
constexpr unsigned further(std::uint32_t entry) {
    return (entry >> 8U) & 0x1FU;
}
constexpr std::uint32_t value_of(std::uint32_t entry) {
    return (entry >> 16U) & 0x7FFFU;
}

inline constexpr std::size_t kMaxLit = 288, kMaxDist = 32, kMaxPre = 19;  // symbols
inline constexpr std::size_t kEndOfBlock = 256;
/// Of the look-up in a table; a second table begins where the first one's entry says.
inline constexpr unsigned kLitBits = 11, kDistBits = 9, kPreBits = 7;

// The sizes are bounds of the tables of any valid code: see build() in deflate_code.cpp.
using LitTable = std::array<std::uint32_t, 2560>;
using DistTable = std::array<std::uint32_t, 1024>;
using PreTable = std::array<std::uint32_t, 128>;

/// How long each symbol's code is; 0: it has none.
using Lengths = std::span<const std::uint8_t>;
// Each makes the table of a canonical code, and is false when the lengths are of none. As zlib has
// it, one code of one bit may stand alone among literals and lengths, and among distances, and
// there may be no codes at all.
[[nodiscard]] bool make_lits(LitTable& table, Lengths lengths);
[[nodiscard]] bool make_dists(DistTable& table, Lengths lengths);
[[nodiscard]] bool make_pres(PreTable& table, Lengths lengths);

}  // namespace knarr::layer::code
