#include "core/uuid.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace knarr {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";

void append_hex(std::string& text, std::byte byte) {
    text += kHex[std::to_integer<unsigned>(byte) >> 4];
    text += kHex[std::to_integer<unsigned>(byte) & 15];
}

}  // namespace

std::string make_uuid7(const Clock& clock, Random& random) {
    std::array<std::byte, 16> bytes{};
    random.fill(bytes);
    const auto ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch())
            .count());
    for (std::size_t i = 0; i < 6; ++i) {
        bytes[i] = static_cast<std::byte>(ms >> (40 - 8 * i));
    }
    bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x70};
    bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};

    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            text += '-';
        }
        append_hex(text, bytes[i]);
    }
    return text;
}

std::string make_long_id(const Clock& clock, Random& random) {
    std::string text = make_uuid7(clock, random);
    std::erase(text, '-');
    std::array<std::byte, 16> more{};
    random.fill(more);
    for (const std::byte byte : more) {
        append_hex(text, byte);
    }
    return text;
}

}  // namespace knarr
