#include "cli/log_time.h"

#include <optional>

#include "cli/duration.h"
#include "core/ascii.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

/// Digits behind a point as nanoseconds; finer ones do not count.
std::optional<std::int64_t> parse_fraction(std::string_view digits) {
    if (!is_digits(digits)) {
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

/// Also of a day or a minute alone, and without an offset, which is then none.
std::optional<Clock::Wall> parse_moment(std::string_view text) {
    constexpr std::string_view kWhole = "2006-01-02T15:04:05";
    std::string moment(text.substr(0, kWhole.size()));
    const std::string_view rest = text.substr(moment.size());
    if (moment.size() == 10) {
        moment += "T00:00:00";
    } else if (moment.size() == 16) {
        moment += ":00";
    }
    moment += rest;
    return parse_time(rest.find_first_of("Zz+-") == std::string_view::npos ? moment + "Z" : moment);
}

}  // namespace

Result<std::string> parse_log_time(std::string_view text, Clock::Wall now, std::string_view what) {
    if (const auto since_1970 = parse_seconds(text)) {
        return format_time(Clock::Wall(*since_1970));
    }
    if (const auto moment = parse_moment(text)) {
        return format_time(*moment);
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
