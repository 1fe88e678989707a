#include "cli/moment.h"

#include <array>
#include <chrono>

#include "core/clock.h"
#include "core/text.h"

namespace knarr::cli {

std::int64_t now_s() {
    return std::chrono::floor<std::chrono::seconds>(system_clock().wall())
        .time_since_epoch()
        .count();
}

std::optional<std::int64_t> seconds_of(std::string_view rfc3339) {
    const auto moment = parse_time(rfc3339);
    return moment
               ? std::optional<std::int64_t>(
                     std::chrono::floor<std::chrono::seconds>(*moment).time_since_epoch().count())
               : std::nullopt;
}

std::string ago(std::optional<std::int64_t> when, std::int64_t now) {
    if (!when || *when <= 0 || *when > now) {
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
    const std::int64_t passed = now - *when;
    for (const Unit& unit : kUnits) {
        // Two of a unit before it is used, so that "23 hours" does not become "0 days".
        if (passed >= 2 * unit.seconds || (passed >= unit.seconds && unit.seconds <= 60)) {
            const std::int64_t count = passed / unit.seconds;
            return fmt::format("{} {}{} ago", count, unit.name, count == 1 ? "" : "s");
        }
    }
    return "just now";
}

std::string go_time(std::optional<std::int64_t> seconds) {
    if (!seconds) {
        return "0001-01-01 00:00:00 +0000 UTC";
    }
    const std::string text = format_time(Clock::Wall(std::chrono::seconds(*seconds)));
    return text.substr(0, 10) + " " + text.substr(11, 8) + " +0000 UTC";
}

}  // namespace knarr::cli
