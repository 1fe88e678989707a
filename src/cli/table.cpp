#include "cli/table.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "cli/text_columns.h"
#include "core/text.h"

namespace knarr::cli {

std::string format_table(const std::vector<std::vector<std::string>>& rows, std::size_t gap) {
    std::vector<std::vector<std::string>> cells;
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        auto& shown = cells.emplace_back();
        for (const std::string& cell : row) {
            shown.push_back(printable(cell, 4096));
            widths.resize(std::max(widths.size(), shown.size()));
            std::size_t& width = widths[shown.size() - 1];
            width = std::max(width, columns_of(shown.back()));
        }
    }
    std::string out;
    for (const auto& row : cells) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += row[i];
            if (i + 1 < row.size()) {
                out.append(widths[i] + gap - columns_of(row[i]), ' ');
            }
        }
        out += '\n';
    }
    return out;
}

std::string labels_text(const std::map<std::string, std::string>& labels) {
    std::string text;
    for (const auto& [key, value] : labels) {
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
    }
    return text;
}

namespace {

std::string in_units(std::uint64_t bytes,
                     double step,
                     const std::array<const char*, 7>& units,
                     int digits) {
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= step && unit + 1 < units.size()) {
        value /= step;
        ++unit;
    }
    return fmt::format("{:.{}g}{}", value, digits, units[unit]);
}

}  // namespace

std::string decimal_size(std::uint64_t bytes, int digits) {
    return in_units(bytes, 1000, {"B", "kB", "MB", "GB", "TB", "PB", "EB"}, digits);
}

std::string binary_size(std::uint64_t bytes) {
    return in_units(bytes, 1024, {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}, 4);
}

}  // namespace knarr::cli
