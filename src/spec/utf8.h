#pragma once

#include <cstddef>
#include <string_view>

namespace knarr::spec {

/// The number of bytes of the UTF-8 sequence that `text` starts with; 0 when it is malformed or
/// cut off. `text` must not be empty. Source: RFC 3629 section 4.
inline std::size_t utf8_sequence_length(std::string_view text) {
    const auto within = [&](std::size_t at, int low, int high) {
        return at < text.size() && static_cast<unsigned char>(text[at]) >= low &&
               static_cast<unsigned char>(text[at]) <= high;
    };
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) {
        return 1;
    }
    // Shortest forms only, no surrogates, nothing beyond U+10FFFF.
    const int low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const int high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (lead < 0xc2 || lead > 0xf4 || !within(1, low, high)) {
        return 0;
    }
    if (lead < 0xe0) {
        return 2;
    }
    if (!within(2, 0x80, 0xbf)) {
        return 0;
    }
    return lead < 0xf0 ? 3 : within(3, 0x80, 0xbf) ? 4 : 0;
}

/// The offset of the first byte of `text` that is NUL or not part of valid UTF-8, or its size.
std::size_t invalid_utf8_at(std::string_view text);

}  // namespace knarr::spec
