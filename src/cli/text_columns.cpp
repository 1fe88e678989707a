#include "cli/text_columns.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fmt/format.h>

#include "spec/utf8.h"

namespace knarr::cli {

namespace {

struct Range {
    std::uint32_t first, last;
};

/// Blocks in which characters are Wide or Fullwidth. Source: Unicode, UAX #11.
constexpr std::array kWide{
    Range{0x1100, 0x115f},   Range{0x231a, 0x231b},   Range{0x23e9, 0x23ec},
    Range{0x2614, 0x2615},   Range{0x2648, 0x2653},   Range{0x26aa, 0x26ab},
    Range{0x2753, 0x2755},   Range{0x2795, 0x2797},   Range{0x2e80, 0x303e},
    Range{0x3041, 0x4dbf},   Range{0x4e00, 0xa4cf},   Range{0xa960, 0xa97c},
    Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},   Range{0xfe10, 0xfe19},
    Range{0xfe30, 0xfe6b},   Range{0xff01, 0xff60},   Range{0xffe0, 0xffe6},
    Range{0x16fe0, 0x18cff}, Range{0x1b000, 0x1b2fb}, Range{0x1f300, 0x1f320},
    Range{0x1f330, 0x1f335}, Range{0x1f337, 0x1f37c}, Range{0x1f380, 0x1f393},
    Range{0x1f3a0, 0x1f3ca}, Range{0x1f400, 0x1f43e}, Range{0x1f442, 0x1f4fc},
    Range{0x1f500, 0x1f53d}, Range{0x1f550, 0x1f567}, Range{0x1f5fb, 0x1f64f},
    Range{0x1f680, 0x1f6c5}, Range{0x1f90c, 0x1f9ff}, Range{0x20000, 0x3fffd},
};

/// What Go does not print: controls, blanks but the ASCII one, formats, private use.
constexpr std::array kUnprintable{
    Range{0x00, 0x1f},     Range{0x7f, 0xa0},       Range{0xad, 0xad},        Range{0x600, 0x605},
    Range{0x61c, 0x61c},   Range{0x6dd, 0x6dd},     Range{0x70f, 0x70f},      Range{0x1680, 0x1680},
    Range{0x180e, 0x180e}, Range{0x2000, 0x200f},   Range{0x2028, 0x202f},    Range{0x205f, 0x206f},
    Range{0x3000, 0x3000}, Range{0xd800, 0xf8ff},   Range{0xfeff, 0xfeff},    Range{0xfff0, 0xfffb},
    Range{0xfffe, 0xffff}, Range{0xe0000, 0xe007f}, Range{0xf0000, 0x10ffff},
};

bool is_in(std::uint32_t character, const auto& ranges) {
    return std::ranges::any_of(ranges, [&](const Range& range) {
        return character >= range.first && character <= range.last;
    });
}

/// The first character of a text, and its bytes. Malformed: no character, one byte.
struct Character {
    std::uint32_t number = 0;
    std::string_view bytes;
    bool valid = false;
};

Character first_of(std::string_view text) {
    const std::size_t length = spec::utf8_sequence_length(text);
    Character out{.number = 0, .bytes = text.substr(0, std::max<std::size_t>(length, 1))};
    out.valid = length > 0;
    constexpr std::array<std::uint32_t, 5> kLeadBits{0, 0x7f, 0x1f, 0x0f, 0x07};
    for (std::size_t i = 0; out.valid && i < length; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        out.number = i == 0 ? byte & kLeadBits[length] : (out.number << 6) | (byte & 0x3fU);
    }
    return out;
}

std::size_t width_of(const Character& character) {
    return character.valid && is_in(character.number, kWide) ? 2 : 1;
}

std::string escaped(std::uint32_t number) {
    constexpr std::string_view kNamed = "\a\b\t\n\v\f\r", kNames = "abtnvfr";
    const std::size_t named =
        number < 0x20 ? kNamed.find(static_cast<char>(number)) : std::string_view::npos;
    if (named != std::string_view::npos) {
        return fmt::format("\\{}", kNames[named]);
    }
    return number < 0x80      ? fmt::format("\\x{:02x}", number)
           : number < 0x10000 ? fmt::format("\\u{:04x}", number)
                              : fmt::format("\\U{:08x}", number);
}

}  // namespace

std::size_t columns_of(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const Character next = first_of(text);
        columns += width_of(next);
        text.remove_prefix(next.bytes.size());
    }
    return columns;
}

std::string cut_to_columns(std::string_view text, std::size_t most) {
    if (columns_of(text) <= most) {
        return std::string(text);
    }
    std::size_t bytes = 0, columns = 0;
    while (true) {
        const Character next = first_of(text.substr(bytes));
        columns += width_of(next);
        if (columns > most - 1) {
            return std::string(text.substr(0, bytes)) + "…";
        }
        bytes += next.bytes.size();
    }
}

std::string go_quoted(std::string_view text) {
    std::string out = "\"";
    while (!text.empty()) {
        const Character next = first_of(text);
        if (!next.valid) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
        } else if (next.bytes == "\"" || next.bytes == "\\") {
            out += fmt::format("\\{}", next.bytes);
        } else if (is_in(next.number, kUnprintable)) {
            out += escaped(next.number);
        } else {
            out += next.bytes;
        }
        text.remove_prefix(next.bytes.size());
    }
    return out + "\"";
}

}  // namespace knarr::cli
