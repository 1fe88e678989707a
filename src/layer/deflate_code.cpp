#include "layer/deflate_code.h"

#include <algorithm>

namespace knarr::layer::code {

namespace {

constexpr unsigned kMaxCodeBits = 15;

std::uint32_t reversed(std::uint32_t code, unsigned length) {
    std::uint32_t out = 0;
    for (unsigned i = 0; i < length; ++i) {
        out = (out << 1U) | ((code >> i) & 1U);
    }
    return out;
}

// Source: RFC 1951 section 3.2.5.
constexpr std::array<std::uint16_t, 29> kLengthBase{3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                                    15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                                    67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<std::uint8_t, 29> kLengthBits{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                   2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::array<std::uint16_t, 30> kDistBase{
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::array<std::uint8_t, 30> kDistBitsOf{0, 0, 0,  0,  1,  1,  2,  2,  3,  3,
                                                   4, 4, 5,  5,  6,  6,  7,  7,  8,  8,
                                                   9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

/// What a code's symbols mean.
struct Alphabet {
    /// The entry of a symbol, without the bits that it takes.
    std::uint32_t (*entry)(std::size_t symbol);
    bool may_be_incomplete;
};

std::uint32_t plain_entry(std::size_t symbol) {
    return static_cast<std::uint32_t>(symbol << 16U);
}

std::uint32_t lit_entry(std::size_t symbol) {
    if (symbol < kEndOfBlock) {
        return kLiteral | plain_entry(symbol);
    }
    if (symbol == kEndOfBlock) {
        return kEnd;
    }
    const std::size_t length = symbol - kEndOfBlock - 1;
    if (length >= kLengthBase.size()) {
        return kInvalid;
    }
    return static_cast<std::uint32_t>(kLengthBase[length] << 16U | kLengthBits[length] << 8U);
}

std::uint32_t dist_entry(std::size_t symbol) {
    if (symbol >= kDistBase.size()) {
        return kInvalid;
    }
    return static_cast<std::uint32_t>(kDistBase[symbol]) << 16U |
           static_cast<std::uint32_t>(kDistBitsOf[symbol]) << 8U;
}

/// Second tables follow the first one of 2^bits entries. One for codes of up to n bits has
/// 2^(n - bits) entries; in a complete code these hold at least half as many different codes, so
/// all second tables together have fewer than 2 * 288 or 2 * 32 entries. `entries` is checked.
bool build(std::span<std::uint32_t> table,
           unsigned bits,
           Lengths lengths,
           const Alphabet& alphabet) {
    const std::size_t entries = table.size();
    const std::size_t symbols = lengths.size();
    std::array<std::uint32_t, kMaxCodeBits + 1> counts{}, next{};
    for (std::size_t i = 0; i < symbols; ++i) {
        ++counts[lengths[i]];
    }
    counts[0] = 0;
    std::int64_t left = 1;
    unsigned longest = 0;
    for (unsigned length = 1; length <= kMaxCodeBits; ++length) {
        left = left * 2 - counts[length];
        if (left < 0) {
            return false;  // more codes than there is room for
        }
        next[length] = (next[length - 1] + counts[length - 1]) << 1U;
        longest = counts[length] != 0 ? length : longest;
    }
    if (left > 0 && !(alphabet.may_be_incomplete && longest <= 1)) {
        return false;
    }
    const std::size_t first = std::size_t{1} << bits;
    std::ranges::fill(table, kInvalid | 1U);
    // How long the codes get that begin with the same bits.
    std::array<std::uint8_t, std::size_t{1} << kLitBits> longest_of{};
    std::array<std::uint16_t, kMaxLit> codes{};
    for (std::size_t i = 0; i < symbols; ++i) {
        if (lengths[i] == 0) {
            continue;
        }
        codes[i] = static_cast<std::uint16_t>(reversed(next[lengths[i]]++, lengths[i]));
        if (lengths[i] > bits) {
            std::uint8_t& most = longest_of[codes[i] & (first - 1)];
            most = std::max(most, lengths[i]);
        }
    }
    std::size_t used = first;
    for (std::size_t i = 0; i < symbols; ++i) {
        const unsigned length = lengths[i];
        if (length == 0) {
            continue;
        }
        const std::uint32_t entry = alphabet.entry(i) | length;
        if (length <= bits) {
            for (std::size_t at = codes[i]; at < first; at += std::size_t{1} << length) {
                table[at] = entry;
            }
            continue;
        }
        const std::size_t begin = codes[i] & (first - 1);
        const unsigned more = longest_of[begin] - bits;
        if ((table[begin] & kSecond) == 0) {
            if (used + (std::size_t{1} << more) > entries) {
                return false;
            }
            table[begin] = kSecond | more << 8U | static_cast<std::uint32_t>(used << 16U) | bits;
            used += std::size_t{1} << more;
        }
        std::uint32_t* second = table.data() + value_of(table[begin]);
        for (std::size_t at = codes[i] >> bits; at < std::size_t{1} << more;
             at += std::size_t{1} << (length - bits)) {
            second[at] = entry;
        }
    }
    return true;
}

}  // namespace

bool make_lits(LitTable& table, Lengths lengths) {
    return build(table, kLitBits, lengths, {lit_entry, true});
}

bool make_dists(DistTable& table, Lengths lengths) {
    return build(table, kDistBits, lengths, {dist_entry, true});
}

bool make_pres(PreTable& table, Lengths lengths) {
    return build(table, kPreBits, lengths, {plain_entry, false});
}

}  // namespace knarr::layer::code
