#include "registry/retry.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace knarr::registry {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that servers may still generate.
std::optional<std::chrono::sys_seconds> parse_date(std::string_view text) {
    const auto words = split(text, ' ');
    if (words.size() != 6 || words[5] != "GMT") {
        return std::nullopt;
    }
    const auto clock = split(words[4], ':');
    const auto month = std::ranges::find(kMonths, words[2]);
    const auto day = parse_number(words[1], 31), year = parse_number(words[3], 9999);
    if (clock.size() != 3 || month == kMonths.end() || !day || !year) {
        return std::nullopt;
    }
    const auto hour = parse_number(clock[0], 23), minute = parse_number(clock[1], 59),
               second = parse_number(clock[2], 60);
    const std::chrono::year_month_day date(
        std::chrono::year(static_cast<int>(*year)),
        std::chrono::month(static_cast<unsigned>(month - kMonths.begin()) + 1),
        std::chrono::day(static_cast<unsigned>(*day)));
    if (!hour || !minute || !second || !date.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days(date) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

}  // namespace

std::chrono::milliseconds backoff(unsigned retry) {
    return std::chrono::milliseconds(250) * (1U << std::min(retry, 5U));
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view field, Clock::Wall now) {
    if (const auto seconds = parse_number(field, 365 * 24 * 3600)) {
        return std::chrono::seconds(*seconds);
    }
    if (const auto date = parse_date(field)) {
        const auto wait = std::chrono::ceil<std::chrono::seconds>(*date - now);
        return std::max(wait, std::chrono::seconds(0));
    }
    return std::nullopt;
}

}  // namespace knarr::registry
