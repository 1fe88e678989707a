#include "core/clock.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/ascii.h"
#include "core/text.h"

namespace knarr {
namespace {

class SystemClock : public Clock {
public:
    Wall wall() const override {
        return std::chrono::time_point_cast<std::chrono::nanoseconds>(
            std::chrono::system_clock::now());
    }
    Steady steady() const override { return std::chrono::steady_clock::now(); }
};

/// So many digits at `at`; nothing where there are others.
std::optional<int> number_at(std::string_view text, std::size_t at, std::size_t digits, int max) {
    if (text.size() < at + digits || !is_digits(text.substr(at, digits))) {
        return std::nullopt;
    }
    const auto number = parse_number(text.substr(at, digits), static_cast<std::uint64_t>(max));
    return number ? std::optional(static_cast<int>(*number)) : std::nullopt;
}

/// "2026-11-23".
std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
    const auto year = number_at(text, 0, 4, 2261);
    const auto month = number_at(text, 5, 2, 12), day = number_at(text, 8, 2, 31);
    if (!year || *year < 1678 || !month || !day || text[4] != '-' || text[7] != '-') {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    return date.ok() ? std::optional(std::chrono::sys_days(date)) : std::nullopt;
}

/// "00:53:50".
std::optional<std::chrono::seconds> parse_clock(std::string_view text) {
    const auto hour = number_at(text, 0, 2, 23), minute = number_at(text, 3, 2, 59),
               second = number_at(text, 6, 2, 59);
    if (!hour || !minute || !second || text[2] != ':' || text[5] != ':') {
        return std::nullopt;
    }
    return std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
           std::chrono::seconds(*second);
}

/// "Z", or "+02:00" as what is to be taken off.
std::optional<std::chrono::minutes> parse_zone(std::string_view text) {
    if (text == "Z" || text == "z") {
        return std::chrono::minutes(0);
    }
    const auto hours = number_at(text, 1, 2, 23), minutes = number_at(text, 4, 2, 59);
    if (!hours || !minutes || text.size() != 6 || text[3] != ':' ||
        (text[0] != '+' && text[0] != '-')) {
        return std::nullopt;
    }
    const std::chrono::minutes all(*hours * 60 + *minutes);
    return text[0] == '+' ? all : -all;
}

}  // namespace

const Clock& system_clock() {
    static const SystemClock kClock;
    return kClock;
}

std::int64_t steady_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               system_clock().steady().time_since_epoch())
        .count();
}

std::string format_time(Clock::Wall time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z",
                       static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()),
                       clock.hours().count(),
                       clock.minutes().count(),
                       clock.seconds().count(),
                       clock.subseconds().count());
}

std::optional<Clock::Wall> parse_time(std::string_view rfc3339) {
    constexpr std::size_t kDay = 10, kWhole = 19;  // "2026-11-23", "2026-11-23T00:53:50"
    if (rfc3339.size() <= kWhole || (rfc3339[kDay] != 'T' && rfc3339[kDay] != 't')) {
        return std::nullopt;
    }
    std::string_view rest = rfc3339.substr(kWhole);
    std::chrono::nanoseconds fraction{0};
    if (rest.front() == '.') {
        const std::size_t end = std::min(rest.find_first_not_of("0123456789", 1), rest.size());
        std::string digits(rest.substr(1, end - 1));
        if (digits.empty()) {
            return std::nullopt;
        }
        digits.resize(9, '0');
        fraction = std::chrono::nanoseconds(*number_at(digits, 0, 9, 999'999'999));
        rest.remove_prefix(end);
    }
    const auto day = parse_day(rfc3339.substr(0, kDay));
    const auto clock = parse_clock(rfc3339.substr(kDay + 1, kWhole - kDay - 1));
    const auto zone = parse_zone(rest);
    if (!day || !clock || !zone) {
        return std::nullopt;
    }
    return Clock::Wall(*day) + *clock - *zone + fraction;
}

}  // namespace knarr
