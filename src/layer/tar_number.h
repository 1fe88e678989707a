#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace knarr::layer {

/// A number field of a tar header: octal text with blanks around it, or base-256 with the first bit
/// set. Nothing for anything else and for what does not fit. An empty field is 0.
std::optional<std::int64_t> parse_tar_number(std::string_view field);

/// A PAX time: "-12.345", seconds and nanoseconds; the nanoseconds count upwards.
struct PaxTime {
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;
};
std::optional<PaxTime> parse_pax_time(std::string_view text);

/// Whether the header's sum is right; old tars summed signed bytes.
bool tar_checksum_matches(std::string_view block);

}  // namespace knarr::layer
