#include "cli/table.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

#include "core/clock.h"
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
            width = std::max(width, shown.back().size());
        }
    }
    std::string out;
    for (const auto& row : cells) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += row[i];
            if (i + 1 < row.size()) {
                out.append(widths[i] + gap - row[i].size(), ' ');
            }
        }
        out += '\n';
    }
    return out;
}

std::string ago(std::int64_t when, std::int64_t now) {
    if (when <= 0 || when > now) {
        return "N/A";
    }
    struct Unit {
        std::int64_t seconds;
        std::string_view name;
    };
    constexpr std::int64_t kDay = 86400;
    static constexpr std::array kUnits{Unit{365 * kDay, "year"},
                                       Unit{30 * kDay, "month"},
                                       Unit{7 * kDay, "week"},
                                       Unit{kDay, "day"},
                                       Unit{3600, "hour"},
                                       Unit{60, "minute"},
                                       Unit{1, "second"}};
    const std::int64_t passed = now - when;
    for (const Unit& unit : kUnits) {
        // Two of a unit before it is used, so that "23 hours" does not become "0 days".
        if (passed >= 2 * unit.seconds || (passed >= unit.seconds && unit.seconds <= 60)) {
            const std::int64_t count = passed / unit.seconds;
            return fmt::format("{} {}{} ago", count, unit.name, count == 1 ? "" : "s");
        }
    }
    return "just now";
}

std::int64_t now_s() {
    return std::chrono::floor<std::chrono::seconds>(system_clock().wall())
        .time_since_epoch()
        .count();
}

std::int64_t parse_time(std::string_view rfc3339) {
    // "2026-11-23T00:53:50" and then a fraction, "Z" or an offset.
    const auto field = [&](std::size_t at, std::size_t length) -> std::int64_t {
        if (rfc3339.size() < at + length) {
            return -1;
        }
        const auto number = parse_number(rfc3339.substr(at, length));
        return number ? static_cast<std::int64_t>(*number) : -1;
    };
    const std::array parts{
        field(0, 4), field(5, 2), field(8, 2), field(11, 2), field(14, 2), field(17, 2)};
    if (std::any_of(parts.begin(), parts.end(), [](std::int64_t p) { return p < 0; })) {
        return -1;
    }
    const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(parts[0])),
                                           std::chrono::month(static_cast<unsigned>(parts[1])),
                                           std::chrono::day(static_cast<unsigned>(parts[2]))};
    if (!date.ok()) {
        return -1;
    }
    std::int64_t seconds = std::chrono::sys_days(date).time_since_epoch().count() * 86400 +
                           parts[3] * 3600 + parts[4] * 60 + parts[5];
    const std::size_t zone = rfc3339.find_first_of("Zz+-", 19);
    if (zone == std::string_view::npos) {
        return -1;
    }
    if (rfc3339[zone] == '+' || rfc3339[zone] == '-') {
        const std::int64_t hours = field(zone + 1, 2), minutes = field(zone + 4, 2);
        if (hours < 0 || minutes < 0) {
            return -1;
        }
        seconds += (rfc3339[zone] == '+' ? -1 : 1) * (hours * 3600 + minutes * 60);
    }
    return seconds;
}

std::string go_time(std::int64_t seconds) {
    const std::string text = format_time(Clock::Wall(std::chrono::seconds(seconds)));
    return text.substr(0, 10) + " " + text.substr(11, 8) + " +0000 UTC";
}

std::string labels_text(const std::map<std::string, std::string>& labels) {
    std::string text;
    for (const auto& [key, value] : labels) {
        text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
    }
    return text;
}

std::string decimal_size(std::uint64_t bytes) {
    static constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1000 && unit + 1 < kUnits.size()) {
        value /= 1000;
        ++unit;
    }
    return fmt::format("{:.3g}{}", value, kUnits[unit]);
}

}  // namespace knarr::cli
