#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::cli {

/// Rows as columns that are as wide as their widest cell, with `gap` blanks between; the last
/// column is not padded. Cells are shown printable() and uncut.
std::string format_table(const std::vector<std::vector<std::string>>& rows, std::size_t gap = 3);

/// Milliseconds are dropped: "2 hours ago", as docker's tables have it. `when` and `now` in
/// seconds since 1970; a `when` in the future or 0 gives "N/A".
std::string ago(std::int64_t when, std::int64_t now);

/// Seconds since 1970.
std::int64_t now_s();

/// Seconds since 1970 of an RFC 3339 text; -1 when it is none.
std::int64_t parse_time(std::string_view rfc3339);

/// As Go writes a time, "2026-01-02 03:04:05 +0000 UTC".
std::string go_time(std::int64_t seconds);

/// "a=1,b=2", as docker has labels in one text.
std::string labels_text(const std::map<std::string, std::string>& labels);

/// "45.2MB": decimal units with three digits, as docker's tables have it.
std::string decimal_size(std::uint64_t bytes);

}  // namespace knarr::cli
