#include "spec/utf8.h"

#include <cstdint>
#include <cstring>

namespace knarr::spec {

std::size_t invalid_utf8_at(std::string_view text) {
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
    std::size_t at = 0;
    while (at < text.size()) {
        // Eight bytes at a time, as configurations are nearly all ASCII.
        std::uint64_t word = 0;
        if (at + sizeof(word) <= text.size()) {
            std::memcpy(&word, text.data() + at, sizeof(word));
            if (((word | (word - kOnes)) & kHigh) == 0) {  // no byte above 0x7f, none is zero
                at += sizeof(word);
                continue;
            }
        }
        const std::size_t length = text[at] == '\0' ? 0 : utf8_sequence_length(text.substr(at));
        if (length == 0) {
            return at;
        }
        at += length;
    }
    return text.size();
}

}  // namespace knarr::spec
