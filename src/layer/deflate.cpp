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

constexpr std::array<std::uint8_t, code::kMaxPre> kPreOrder{
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};

}  // namespace

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
    std::array<std::uint8_t, code::kMaxLit> lit{};
    for (std::size_t i = 0; i < lit.size(); ++i) {
        lit[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    }
    std::array<std::uint8_t, code::kMaxDist> dist{};
    dist.fill(5);
    static_cast<void>(code::make_lits(lit_, lit));  // of lengths that are known to be right
    static_cast<void>(code::make_dists(dist_, dist));
}

Result<> DeflateReader::read_lengths() {
    const std::size_t lits = KNARR_TRY(take(5)) + 257;
    const std::size_t dists = KNARR_TRY(take(5)) + 1;
    const std::size_t pres = KNARR_TRY(take(4)) + 4;
    if (lits > 286 || dists > 30) {
        return fail(damaged("too many length or distance symbols"));
    }
    std::array<std::uint8_t, code::kMaxPre> pre{};
    for (std::size_t i = 0; i < pres; ++i) {
        pre[kPreOrder[i]] = static_cast<std::uint8_t>(KNARR_TRY(take(3)));
    }
    code::PreTable table{};
    if (!code::make_pres(table, pre)) {
        return fail(damaged("invalid code lengths set"));
    }
    std::array<std::uint8_t, code::kMaxLit + code::kMaxDist> lengths{};
    for (std::size_t i = 0; i < lits + dists;) {
        KNARR_TRY(refill());
        const std::uint32_t entry = table[low_bits(bits_, code::kPreBits)];
        if ((entry & code::kInvalid) != 0) {
            return fail(damaged("invalid code lengths set"));
        }
        KNARR_TRY(take(code::taken(entry)));
        const std::uint32_t symbol = code::value_of(entry);
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
    if (lengths[code::kEndOfBlock] == 0) {
        return fail(damaged("invalid code -- missing end-of-block"));
    }
    const code::Lengths all(lengths);
    if (!code::make_lits(lit_, all.first(lits))) {
        return fail(damaged("invalid literal/lengths set"));
    }
    if (!code::make_dists(dist_, all.subspan(lits, dists))) {
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
    std::uint32_t entry = lit_[low_bits(bits_, code::kLitBits)];
    if ((entry & code::kSecond) != 0) {
        entry =
            lit_[code::value_of(entry) + low_bits(bits_ >> code::kLitBits, code::further(entry))];
    }
    if ((entry & code::kInvalid) != 0) {
        return fail(damaged("invalid literal/length code"));
    }
    KNARR_TRY(take(code::taken(entry)));
    if ((entry & code::kLiteral) != 0) {
        window_[out_++] = static_cast<char>(code::value_of(entry));
        return {};
    }
    if ((entry & code::kEnd) != 0) {
        state_ = last_block_ ? State::ended : State::header;
        return {};
    }
    const std::size_t length = code::value_of(entry) + KNARR_TRY(take(code::further(entry)));
    KNARR_TRY(refill());
    entry = dist_[low_bits(bits_, code::kDistBits)];
    if ((entry & code::kSecond) != 0) {
        entry =
            dist_[code::value_of(entry) + low_bits(bits_ >> code::kDistBits, code::further(entry))];
    }
    if ((entry & code::kInvalid) != 0) {
        return fail(damaged("invalid distance code"));
    }
    KNARR_TRY(take(code::taken(entry)));
    const std::size_t distance = code::value_of(entry) + KNARR_TRY(take(code::further(entry)));
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
        std::uint32_t entry = lit_[low_bits(bits, code::kLitBits)];
        // Two short literals take at most 22 of 56 bits: enough are left for a length.
        if ((entry & code::kLiteral) != 0) {
            drop(code::taken(entry));
            window[out++] = static_cast<char>(code::value_of(entry));
            entry = lit_[low_bits(bits, code::kLitBits)];
            if ((entry & code::kLiteral) != 0) {
                drop(code::taken(entry));
                window[out++] = static_cast<char>(code::value_of(entry));
                entry = lit_[low_bits(bits, code::kLitBits)];
            }
        }
        if ((entry & code::kSecond) != 0) {
            entry = lit_[code::value_of(entry) +
                         low_bits(bits >> code::kLitBits, code::further(entry))];
        }
        drop(code::taken(entry));
        if ((entry & code::kLiteral) != 0) {
            window[out++] = static_cast<char>(code::value_of(entry));
            continue;
        }
        if ((entry & code::kSpecial) != 0) {
            if ((entry & code::kEnd) != 0) {
                state_ = last_block_ ? State::ended : State::header;
            } else {
                error = fail(damaged("invalid literal/length code"));
            }
            break;
        }
        const std::size_t length = code::value_of(entry) + low_bits(bits, code::further(entry));
        drop(code::further(entry));
        refill_word();
        entry = dist_[low_bits(bits, code::kDistBits)];
        if ((entry & code::kSecond) != 0) {
            entry = dist_[code::value_of(entry) +
                          low_bits(bits >> code::kDistBits, code::further(entry))];
        }
        drop(code::taken(entry));
        const std::size_t distance = code::value_of(entry) + low_bits(bits, code::further(entry));
        drop(code::further(entry));
        if ((entry & code::kInvalid) != 0 || distance > out - begin) {
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
