#include "layer/deflate.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "core/limits.h"

namespace knarr::layer {

namespace {

constexpr std::size_t kWindow = 32 * size::kKiB;
constexpr std::size_t kPiece = 256 * size::kKiB;
/// Behind a full piece: the longest match, and what copying in words writes past its end.
constexpr std::size_t kSlack = 258 + 32;
constexpr unsigned kMaxCodeBits = 15;
constexpr std::size_t kMaxLit = 288, kMaxDist = 32, kPreSymbols = 19;
constexpr std::size_t kEndOfBlock = 256;

// A table's entry: the bits that the symbol takes in bits 0-7, further bits that follow it in 8-12,
// the value (a literal, what a length or distance begins with, where a second table is) in 16-30.
constexpr std::uint32_t kLiteral = 1U << 31U;  // bit 15 and 14 are clear then
constexpr std::uint32_t kSecond = 1U << 15U;   // bits 8-12: log2 of the second table's size
constexpr std::uint32_t kEnd = 1U << 14U;      // the end of the block
constexpr std::uint32_t kInvalid = 1U << 13U;  // no code has these bits
constexpr std::uint32_t kSpecial = kSecond | kEnd | kInvalid;

constexpr unsigned taken(std::uint32_t entry) {
    return entry & 0xFFU;
}
constexpr unsigned further(std::uint32_t entry) {
    return (entry >> 8U) & 0x1FU;
}
constexpr std::uint32_t value_of(std::uint32_t entry) {
    return (entry >> 16U) & 0x7FFFU;
}
constexpr std::uint32_t low_bits(std::uint64_t bits, unsigned count) {
    return static_cast<std::uint32_t>(bits & ((std::uint64_t{1} << count) - 1));
}

Error damaged(std::string_view why) {
    return {.code = Errc::invalid_image,
            .message = fmt::format("the gzip data is damaged ({})", why)};
}

Error cut_off() {
    return {.code = Errc::invalid_image, .message = "the gzip data is cut off"};
}

std::uint32_t reversed(std::uint32_t code, unsigned length) {
    std::uint32_t out = 0;
    for (unsigned i = 0; i < length; ++i) {
        out = (out << 1U) | ((code >> i) & 1U);
    }
    return out;
}

std::uint64_t load_word(const unsigned char* from) {
    static_assert(std::endian::native == std::endian::little);
    std::uint64_t word = 0;
    std::memcpy(&word, from, sizeof word);
    return word;
}

/// `distance` is within what was written; behind `to` there is room for `length` and some words.
inline void copy_match(char* to, std::size_t length, std::size_t distance) {
    const char* from = to - distance;
    char* const end = to + length;
    if (distance >= 8) {
        do {
            std::memcpy(to, from, 8);
            std::memcpy(to + 8, from + 8, 8);
            to += 16;
            from += 16;
        } while (to < end && distance >= 16);
        for (; to < end; to += 8, from += 8) {
            std::memcpy(to, from, 8);
        }
    } else if (distance == 1) {
        std::memset(to, *from, length);
    } else {
        while (to < end) {
            *to++ = *from++;
        }
    }
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
constexpr std::array<std::uint8_t, kPreSymbols> kPreOrder{
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

}  // namespace

struct DeflateReader::Alphabet {
    /// The entry of a symbol, without the bits that it takes.
    std::uint32_t (*entry)(std::size_t symbol);
    bool may_be_incomplete;
};

namespace {

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

}  // namespace

/// Makes the table of a canonical code; false when the lengths are of none. As zlib has it, one
/// code of one bit may stand alone, and there may be no codes at all, where the alphabet allows it.
///
/// Second tables follow the first one of 2^bits entries. One for codes of up to n bits has
/// 2^(n - bits) entries; in a complete code these hold at least half as many different codes, so
/// all second tables together have fewer than 2 * 288 or 2 * 32 entries. `entries` is checked.
bool DeflateReader::build(std::uint32_t* table,
                          std::size_t entries,
                          unsigned bits,
                          const std::uint8_t* lengths,
                          std::size_t symbols,
                          const Alphabet& alphabet) {
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
    std::fill_n(table, entries, kInvalid | 1U);
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
        std::uint32_t* second = table + value_of(table[begin]);
        for (std::size_t at = codes[i] >> bits; at < std::size_t{1} << more;
             at += std::size_t{1} << (length - bits)) {
            second[at] = entry;
        }
    }
    return true;
}

DeflateReader::DeflateReader(ByteSource& source)
    : source_(source), window_(kWindow + kPiece + kSlack, '\0'), begin_(kWindow), out_(kWindow) {}

void DeflateReader::begin() {
    state_ = State::header;
    last_block_ = false;
    begin_ = out_;
}

/// Appends a piece of the source to what is left of the input.
Result<> DeflateReader::fill_input() {
    if (source_ended_) {
        return {};
    }
    const std::string_view piece = KNARR_TRY(source_.next());
    source_ended_ = piece.empty();
    // What is left are a few bytes.
    input_.erase(0, input_.size() - static_cast<std::size_t>(in_end_ - in_));
    input_.append(piece);
    in_ = reinterpret_cast<const unsigned char*>(input_.data());
    in_end_ = in_ + input_.size();
    return {};
}

/// At least 56 bits. Behind the end of the source they are zeros that must not be used.
Result<> DeflateReader::refill() {
    while (count_ <= 56) {
        if (in_ == in_end_) {
            KNARR_TRY(fill_input());
        }
        if (in_ == in_end_) {
            ++phantom_;
        } else {
            bits_ |= std::uint64_t{*in_++} << count_;
        }
        count_ += 8;
    }
    return {};
}

Result<std::uint32_t> DeflateReader::take(unsigned count) {
    KNARR_TRY(refill());
    const std::uint32_t value = low_bits(bits_, count);
    bits_ >>= count;
    count_ -= count;
    if (phantom_ * 8 > count_) {
        return fail(cut_off());
    }
    return value;
}

Result<std::optional<std::uint8_t>> DeflateReader::byte() {
    bits_ >>= count_ % 8;
    count_ -= count_ % 8;
    KNARR_TRY(refill());
    if (phantom_ * 8 >= count_) {
        return std::nullopt;
    }
    return static_cast<std::uint8_t>(KNARR_TRY(take(8)));
}

void DeflateReader::use_fixed_codes() {
    // Source: RFC 1951 section 3.2.6.
    std::array<std::uint8_t, kMaxLit> lit{};
    for (std::size_t i = 0; i < lit.size(); ++i) {
        lit[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    }
    std::array<std::uint8_t, kMaxDist> dist{};
    dist.fill(5);
    build(lit_.data(), lit_.size(), kLitBits, lit.data(), lit.size(), {lit_entry, false});
    build(dist_.data(), dist_.size(), kDistBits, dist.data(), dist.size(), {dist_entry, false});
}

Result<> DeflateReader::read_lengths() {
    const std::size_t lits = KNARR_TRY(take(5)) + 257;
    const std::size_t dists = KNARR_TRY(take(5)) + 1;
    const std::size_t pres = KNARR_TRY(take(4)) + 4;
    if (lits > 286 || dists > 30) {
        return fail(damaged("too many length or distance symbols"));
    }
    std::array<std::uint8_t, kPreSymbols> pre{};
    for (std::size_t i = 0; i < pres; ++i) {
        pre[kPreOrder[i]] = static_cast<std::uint8_t>(KNARR_TRY(take(3)));
    }
    std::array<std::uint32_t, kPreEntries> table{};
    if (!build(
            table.data(), table.size(), kPreBits, pre.data(), pre.size(), {plain_entry, false})) {
        return fail(damaged("invalid code lengths set"));
    }
    std::array<std::uint8_t, kMaxLit + kMaxDist> lengths{};
    for (std::size_t i = 0; i < lits + dists;) {
        KNARR_TRY(refill());
        const std::uint32_t entry = table[low_bits(bits_, kPreBits)];
        if ((entry & kInvalid) != 0) {
            return fail(damaged("invalid code lengths set"));
        }
        KNARR_TRY(take(taken(entry)));
        const std::uint32_t symbol = value_of(entry);
        if (symbol < 16) {
            lengths[i++] = static_cast<std::uint8_t>(symbol);
            continue;
        }
        const bool repeats = symbol == 16;
        if (repeats && i == 0) {
            return fail(damaged("invalid bit length repeat"));
        }
        const std::uint8_t length = repeats ? lengths[i - 1] : std::uint8_t{0};
        std::size_t times =
            symbol == 18 ? 11 + KNARR_TRY(take(7)) : 3 + KNARR_TRY(take(repeats ? 2 : 3));
        if (times > lits + dists - i) {
            return fail(damaged("invalid bit length repeat"));
        }
        for (; times != 0; --times) {
            lengths[i++] = length;
        }
    }
    if (lengths[kEndOfBlock] == 0) {
        return fail(damaged("invalid code -- missing end-of-block"));
    }
    if (!build(lit_.data(), lit_.size(), kLitBits, lengths.data(), lits, {lit_entry, true})) {
        return fail(damaged("invalid literal/lengths set"));
    }
    if (!build(dist_.data(),
               dist_.size(),
               kDistBits,
               lengths.data() + lits,
               dists,
               {dist_entry, true})) {
        return fail(damaged("invalid distances set"));
    }
    return {};
}

Result<> DeflateReader::read_header() {
    last_block_ = KNARR_TRY(take(1)) != 0;
    switch (KNARR_TRY(take(2))) {
        case 0: {
            const unsigned skip = count_ % 8;
            bits_ >>= skip;
            count_ -= skip;
            const std::uint32_t length = KNARR_TRY(take(16));
            if ((KNARR_TRY(take(16)) ^ length) != 0xFFFFU) {
                return fail(damaged("invalid stored block lengths"));
            }
            stored_left_ = length;
            state_ = State::stored;
            return {};
        }
        case 1:
            use_fixed_codes();
            break;
        case 2:
            KNARR_TRY(read_lengths());
            break;
        default:
            return fail(damaged("invalid block type"));
    }
    state_ = State::codes;
    return {};
}

Result<> DeflateReader::copy_stored() {
    while (stored_left_ != 0 && out_ < kWindow + kPiece) {
        if (count_ != 0) {  // whole bytes: those that were fetched with the block's header
            if (phantom_ * 8 >= count_) {
                return fail(cut_off());
            }
            window_[out_++] = static_cast<char>(bits_ & 0xFFU);
            bits_ >>= 8U;
            count_ -= 8;
            --stored_left_;
            continue;
        }
        if (in_ == in_end_) {
            KNARR_TRY(fill_input());
            if (in_ == in_end_) {
                return fail(cut_off());
            }
        }
        const std::size_t now = std::min(
            {stored_left_, kWindow + kPiece - out_, static_cast<std::size_t>(in_end_ - in_)});
        std::memcpy(window_.data() + out_, in_, now);
        in_ += now;
        out_ += now;
        stored_left_ -= now;
    }
    if (stored_left_ == 0) {
        state_ = last_block_ ? State::ended : State::header;
    }
    return {};
}

/// One symbol with every check: near the ends of input and source.
Result<> DeflateReader::decode_one() {
    KNARR_TRY(refill());
    std::uint32_t entry = lit_[low_bits(bits_, kLitBits)];
    if ((entry & kSecond) != 0) {
        entry = lit_[value_of(entry) + low_bits(bits_ >> kLitBits, further(entry))];
    }
    if ((entry & kInvalid) != 0) {
        return fail(damaged("invalid literal/length code"));
    }
    KNARR_TRY(take(taken(entry)));
    if ((entry & kLiteral) != 0) {
        window_[out_++] = static_cast<char>(value_of(entry));
        return {};
    }
    if ((entry & kEnd) != 0) {
        state_ = last_block_ ? State::ended : State::header;
        return {};
    }
    const std::size_t length = value_of(entry) + KNARR_TRY(take(further(entry)));
    KNARR_TRY(refill());
    entry = dist_[low_bits(bits_, kDistBits)];
    if ((entry & kSecond) != 0) {
        entry = dist_[value_of(entry) + low_bits(bits_ >> kDistBits, further(entry))];
    }
    if ((entry & kInvalid) != 0) {
        return fail(damaged("invalid distance code"));
    }
    KNARR_TRY(take(taken(entry)));
    const std::size_t distance = value_of(entry) + KNARR_TRY(take(further(entry)));
    if (distance > out_ - begin_) {
        return fail(damaged("invalid distance too far back"));
    }
    copy_match(window_.data() + out_, length, distance);
    out_ += length;
    return {};
}

/// As long as whole words of input are there and a match fits; false after an error.
bool DeflateReader::decode_fast(Result<>& error) {
    constexpr std::ptrdiff_t kAhead = 24;  // three refills
    const unsigned char* in = in_;
    const unsigned char* const in_end = in_end_;
    std::uint64_t bits = bits_;
    unsigned count = count_;
    char* const window = window_.data();
    const std::size_t begin = begin_;
    std::size_t out = out_;
    if (count == 64) {  // no shift can be that wide: the last byte goes back
        --in;
        count -= 8;
        bits &= ~std::uint64_t{0} >> 8U;
    }
    const auto refill_word = [&] {
        bits |= load_word(in) << count;
        in += (63U - count) >> 3U;
        count |= 56U;
    };
    const auto drop = [&](unsigned number) {
        bits >>= number;
        count -= number;
    };
    while (in_end - in >= kAhead && out < kWindow + kPiece) {
        refill_word();
        std::uint32_t entry = lit_[low_bits(bits, kLitBits)];
        // Two short literals take at most 22 of 56 bits: enough are left for a length.
        if ((entry & kLiteral) != 0) {
            drop(taken(entry));
            window[out++] = static_cast<char>(value_of(entry));
            entry = lit_[low_bits(bits, kLitBits)];
            if ((entry & kLiteral) != 0) {
                drop(taken(entry));
                window[out++] = static_cast<char>(value_of(entry));
                entry = lit_[low_bits(bits, kLitBits)];
            }
        }
        if ((entry & kSecond) != 0) {
            entry = lit_[value_of(entry) + low_bits(bits >> kLitBits, further(entry))];
        }
        drop(taken(entry));
        if ((entry & kLiteral) != 0) {
            window[out++] = static_cast<char>(value_of(entry));
            continue;
        }
        if ((entry & kSpecial) != 0) {
            if ((entry & kEnd) != 0) {
                state_ = last_block_ ? State::ended : State::header;
            } else {
                error = fail(damaged("invalid literal/length code"));
            }
            break;
        }
        const std::size_t length = value_of(entry) + low_bits(bits, further(entry));
        drop(further(entry));
        refill_word();
        entry = dist_[low_bits(bits, kDistBits)];
        if ((entry & kSecond) != 0) {
            entry = dist_[value_of(entry) + low_bits(bits >> kDistBits, further(entry))];
        }
        drop(taken(entry));
        const std::size_t distance = value_of(entry) + low_bits(bits, further(entry));
        drop(further(entry));
        if ((entry & kInvalid) != 0 || distance > out - begin) {
            error = fail(damaged("invalid distance, or too far back"));
            break;
        }
        copy_match(window + out, length, distance);
        out += length;
    }
    in_ = in;
    // A refill leaves bits above the count that it counts again later.
    bits_ = count < 64 ? bits & ((std::uint64_t{1} << count) - 1) : bits;
    count_ = count;
    out_ = out;
    return error.has_value();
}

Result<> DeflateReader::decode() {
    while (state_ == State::codes && out_ < kWindow + kPiece) {
        if (phantom_ == 0) {
            Result<> error;
            if (!decode_fast(error)) {
                return error;
            }
        }
        if (state_ == State::codes && out_ < kWindow + kPiece) {
            KNARR_TRY(decode_one());
        }
    }
    return {};
}

Result<std::string_view> DeflateReader::next() {
    if (out_ >= kWindow + kPiece) {
        // What the stream may still refer to goes to the front.
        std::memmove(window_.data(), window_.data() + out_ - kWindow, kWindow);
        const std::size_t moved = out_ - kWindow;
        begin_ = begin_ > moved ? begin_ - moved : 0;
        out_ = kWindow;
    }
    const std::size_t from = out_;
    while (state_ != State::ended && out_ < kWindow + kPiece) {
        switch (state_) {
            case State::header:
                KNARR_TRY(read_header());
                break;
            case State::stored:
                KNARR_TRY(copy_stored());
                break;
            default:
                KNARR_TRY(decode());
                break;
        }
    }
    return std::string_view(window_).substr(from, out_ - from);
}

}  // namespace knarr::layer
