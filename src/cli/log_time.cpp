#include "cli/log_time.h"

#include <optional>

#include "cli/duration.h"
#include "cli/table.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

/// Digits behind a point as nanoseconds; finer ones do not count.
std::optional<std::int64_t> parse_fraction(std::string_view digits) {
    if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
        return std::nullopt;
    }
    std::string nine(digits);
    nine.resize(9, '0');
    return static_cast<std::int64_t>(*parse_number(nine));
}

std::optional<nanoseconds> parse_seconds(std::string_view text) {
    const std::size_t dot = text.find('.');
    const auto whole = parse_number(text.substr(0, dot), 9'000'000'000);
    const auto part = dot == std::string_view::npos ? std::optional<std::int64_t>(0)
                                                    : parse_fraction(text.substr(dot + 1));
    if (!whole || !part) {
        return std::nullopt;
    }
    return seconds(*whole) + nanoseconds(*part);
}

/// "+02:00" as what is to be taken off.
std::optional<seconds> parse_offset(std::string_view text) {
    if (text.empty() || text == "Z" || text == "z") {
        return seconds(0);
    }
    const bool east = text.front() == '+';
    if ((!east && text.front() != '-') || text.size() != 6 || text[3] != ':') {
        return std::nullopt;
    }
    const auto hours = parse_number(text.substr(1, 2), 23);
    const auto minutes = parse_number(text.substr(4, 2), 59);
    if (!hours || !minutes) {
        return std::nullopt;
    }
    const seconds all(static_cast<std::int64_t>(*hours * 3600 + *minutes * 60));
    return east ? all : -all;
}

std::optional<nanoseconds> parse_rfc3339(std::string_view text) {
    constexpr std::string_view kShape = "2006-01-02T15:04:05";
    std::string whole(text.substr(0, kShape.size()));
    std::string_view rest = text.substr(whole.size());
    if (whole.size() == 10) {
        whole += "T00:00:00";
    } else if (whole.size() == 16) {
        whole += ":00";
    }
    if (whole.size() != kShape.size() || whole[4] != '-' || whole[7] != '-' || whole[10] != 'T' ||
        whole[13] != ':' || whole[16] != ':') {
        return std::nullopt;
    }
    const std::int64_t base = parse_time(whole + "Z");
    std::int64_t part = 0;
    if (rest.starts_with('.')) {
        const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
        const auto fraction = parse_fraction(rest.substr(1, end - 1));
        if (!fraction) {
            return std::nullopt;
        }
        part = *fraction;
        rest.remove_prefix(end);
    }
    const auto offset = parse_offset(rest);
    if (base < 0 || !offset) {
        return std::nullopt;
    }
    return seconds(base) - *offset + nanoseconds(part);
}

}  // namespace

Result<std::string> parse_log_time(std::string_view text, Clock::Wall now, std::string_view what) {
    if (const auto since_1970 = parse_seconds(text)) {
        return format_time(Clock::Wall(*since_1970));
    }
    if (const auto moment = parse_rfc3339(text)) {
        return format_time(Clock::Wall(*moment));
    }
    if (const auto before = parse_duration(text, what)) {
        return format_time(now - *before);
    }
    return fail(Errc::invalid_argument,
                "{} \"{}\" is neither a time such as 2026-11-23T00:53:50Z, nor seconds since 1970, "
                "nor a duration such as 10m",
                what,
                printable(text));
}

}  // namespace knarr::cli
