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

/// "a=1,b=2", as docker has labels in one text.
std::string labels_text(const std::map<std::string, std::string>& labels);

/// "45.2MB": decimal units with three digits, as docker's tables have it, or four.
std::string decimal_size(std::uint64_t bytes, int digits = 3);
/// "1.953MiB": powers of 1024 with four digits, as docker has memory.
std::string binary_size(std::uint64_t bytes);

}  // namespace knarr::cli
