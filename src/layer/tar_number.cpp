#include "layer/tar_number.h"

#include "core/text.h"

namespace knarr::layer {

std::optional<std::int64_t> parse_tar_number(std::string_view field) {
    if (!field.empty() && (static_cast<unsigned char>(field[0]) & 0x80U) != 0) {
        // Two's complement, the first bit is the mark and the second the sign.
        const bool negative = (static_cast<unsigned char>(field[0]) & 0x40U) != 0;
        std::uint64_t value = negative ? ~0ULL : 0;
        for (std::size_t i = 0; i < field.size(); ++i) {
            auto byte = static_cast<unsigned char>(field[i]);
            if (i == 0) {
                byte = static_cast<unsigned char>(negative ? byte | 0x80U : byte & 0x3FU);
            }
            const std::uint64_t top = value >> 55U;  // sign and the eight bits that will be lost
            if (top != (negative ? 0x1FFU : 0U)) {
                return std::nullopt;
            }
            value = value << 8U | byte;
        }
        return static_cast<std::int64_t>(value);
    }
    while (!field.empty() && (field.back() == ' ' || field.back() == '\0')) {
        field.remove_suffix(1);
    }
    while (!field.empty() && field.front() == ' ') {
        field.remove_prefix(1);
    }
    field = field.substr(0, field.find('\0'));
    std::uint64_t value = 0;
    for (const char c : field) {
        if (c < '0' || c > '7' || value >> 60U != 0) {
            return std::nullopt;
        }
        value = value << 3U | static_cast<std::uint64_t>(c - '0');
    }
    return static_cast<std::int64_t>(value);
}

std::optional<PaxTime> parse_pax_time(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative) {
        text.remove_prefix(1);
    }
    const std::size_t dot = text.find('.');
    const auto seconds = parse_number(text.substr(0, dot), INT64_MAX / 2);
    if (!seconds) {
        return std::nullopt;
    }
    PaxTime time{.seconds = static_cast<std::int64_t>(*seconds)};
    if (dot != std::string_view::npos) {
        std::uint32_t unit = 100'000'000;
        for (const char c : text.substr(dot + 1)) {
            if (c < '0' || c > '9') {
                return std::nullopt;
            }
            time.nanoseconds += unit * static_cast<std::uint32_t>(c - '0');
            unit /= 10;  // digits past the ninth count nothing
        }
    }
    if (negative) {
        time.seconds = -time.seconds;
        if (time.nanoseconds != 0) {
            time.seconds -= 1;
            time.nanoseconds = 1'000'000'000 - time.nanoseconds;
        }
    }
    return time;
}

bool tar_checksum_matches(std::string_view block) {
    const auto stated = parse_tar_number(block.substr(148, 8));
    std::int64_t unsigned_sum = 0;
    std::int64_t signed_sum = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        const char c = i >= 148 && i < 156 ? ' ' : block[i];
        unsigned_sum += static_cast<unsigned char>(c);
        signed_sum += static_cast<signed char>(c);
    }
    return stated && (*stated == unsigned_sum || *stated == signed_sum);
}

}  // namespace knarr::layer
