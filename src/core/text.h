#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"

namespace knarr {

/// A whole decimal number without sign, blank or leading junk; nothing when `text` is not one or
/// exceeds `max`. The only way numbers from outside are read: "12x", "-1" and "4294967296" for a
/// uid are refused, never wrapped (CVE-2024-40635).
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max = UINT64_MAX);

/// Splits at every `separator`; an empty text gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
template <std::same_as<std::string> Temporary>
void split(Temporary&& text, char separator) = delete;  // the parts would outlive it

/// `text` without the blanks, tabs and line ends around it; a part of `text`.
std::string_view trimmed(std::string_view text);

/// `text` as it may be shown on a terminal or in a log: control characters, those that
/// change the direction of writing, and invalid UTF-8 as \xNN, cut after `max` bytes with "...".
std::string printable(std::string_view text, std::size_t max = 256);
/// Whether the text begins with a character that turns around how what follows it is shown: U+202A
/// to 202E, 2066 to 2069. Source: Unicode, UAX #9 "Explicit Directional".
bool turns_text_around(std::string_view text);

/// "1.5 MiB", for people.
std::string human_size(std::uint64_t bytes);

/// A size as docker writes it: digits and an optional b, k, m, g or t (powers of 1024, also "Ki",
/// "KiB", "kb"), at most INT64_MAX. Errors: invalid_argument naming `what`.
Result<std::int64_t> parse_size(std::string_view text, std::string_view what);

}  // namespace knarr
