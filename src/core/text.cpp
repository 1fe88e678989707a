#include "core/text.h"

#include <array>
#include <charconv>

#include "core/ascii.h"

namespace knarr {

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
    std::uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (text.empty() || text.front() == '-' || stop != end || error != std::errc{} || value > max) {
        return std::nullopt;
    }
    return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const std::size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(at + 1);
    }
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const std::size_t first = text.find_first_not_of(kBlanks);
    return first == std::string_view::npos
               ? std::string_view()
               : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

namespace {

/// The length of the valid UTF-8 sequence that `text` starts with; 0: none, or not to be shown.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    const std::size_t length = lead < 0x80                   ? 1
                               : lead >= 0xc2 && lead < 0xe0 ? 2
                               : lead >= 0xe0 && lead < 0xf0 ? 3
                               : lead >= 0xf0 && lead < 0xf5 ? 4
                                                             : 0;
    if (length == 0 || length > text.size()) {
        return 0;
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
    const bool surrogate = lead == 0xed && byte(1) >= 0xa0;
    const bool beyond = lead == 0xf4 && byte(1) >= 0x90;
    const bool c1_control = lead == 0xc2 && byte(1) < 0xa0;
    return overlong || surrogate || beyond || c1_control || turns_text_around(text) ? 0 : length;
}

}  // namespace

bool turns_text_around(std::string_view text) {
    if (!text.starts_with('\xe2') || text.size() < 3) {
        return false;
    }
    const auto second = static_cast<unsigned char>(text[1]);
    const auto third = static_cast<unsigned char>(text[2]);
    return (second == 0x80 && third >= 0xaa && third <= 0xae) ||
           (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

std::string printable(std::string_view text, std::size_t max) {
    std::string out;
    while (!text.empty()) {
        if (out.size() >= max) {
            out += "...";
            break;
        }
        const std::size_t length = utf8_length(text);
        const auto byte = static_cast<unsigned char>(text.front());
        if (length == 0 || byte < 0x20 || byte == 0x7f) {
            out += fmt::format("\\x{:02x}", byte);
            text.remove_prefix(1);
        } else {
            out += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return out;
}

std::string human_size(std::uint64_t bytes) {
    static constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        return fmt::format("{} B", bytes);
    }
    auto value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

Result<std::int64_t> parse_size(std::string_view text, std::string_view what) {
    std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number(text.substr(0, digits), INT64_MAX);
    std::uint64_t millionths = 0;
    bool part = false;
    if (text.substr(digits).starts_with('.')) {
        const std::size_t end =
            std::min(text.find_first_not_of("0123456789", digits + 1), text.size());
        std::string decimals(text.substr(digits + 1, end - digits - 1));
        part = true;
        digits = decimals.empty() ? digits : end;
        decimals.resize(6, '0');
        millionths = parse_number(decimals, 999'999).value_or(0);
    }
    std::string suffix;
    for (const char c : text.substr(digits)) {
        suffix += to_lower(c);
    }
    static constexpr std::string_view kPowers = "bkmgt";
    const std::size_t power = suffix.empty() ? 0 : kPowers.find(suffix.front());
    const bool known =
        suffix.size() <= 1 || (power > 0 && (suffix.substr(1) == "b" || suffix.substr(1) == "i" ||
                                             suffix.substr(1) == "ib"));
    if (!number || power == std::string_view::npos || !known || (part && power == 0) ||
        *number > (static_cast<std::uint64_t>(INT64_MAX) >> (10 * power))) {
        return fail(Errc::invalid_argument,
                    "{} \"{}\" is not a size such as 512m or 2g",
                    what,
                    printable(text));
    }
    return static_cast<std::int64_t>((*number << (10 * power)) +
                                     (millionths << (10 * power)) / 1'000'000);
}

}  // namespace knarr
