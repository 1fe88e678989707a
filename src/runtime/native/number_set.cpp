#include "runtime/native/number_set.h"

#include <algorithm>

#include "core/text.h"

namespace knarr::runtime::native {

namespace {

std::optional<std::uint64_t> parse_one(std::string_view text, std::uint64_t bound) {
    return parse_number(trimmed(text), bound - 1);
}

}  // namespace

std::optional<std::vector<std::uint64_t>> parse_number_set(std::string_view list,
                                                           std::uint64_t bound) {
    constexpr std::uint64_t kWordBits = 64;
    std::vector<std::uint64_t> words;
    if (list.empty()) {
        return words;
    }
    for (const std::string_view part : split(list, ',')) {
        const std::size_t dash = part.find('-');
        const auto first = parse_one(part.substr(0, dash), bound);
        const auto last =
            dash == std::string_view::npos ? first : parse_one(part.substr(dash + 1), bound);
        if (!first || !last || *first > *last) {
            return std::nullopt;
        }
        words.resize(std::max<std::size_t>(words.size(), *last / kWordBits + 1));
        for (std::uint64_t n = *first; n <= *last; ++n) {
            words[n / kWordBits] |= 1ULL << (n % kWordBits);
        }
    }
    return words;
}

}  // namespace knarr::runtime::native
