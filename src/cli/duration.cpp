#include "cli/duration.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/text.h"

namespace knarr::cli {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t ms;
};
constexpr std::array kUnits{
    Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000}, Unit{"h", 3'600'000}};

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text,
                                                 std::string_view what,
                                                 std::chrono::hours most) {
    const auto most_ms = static_cast<std::uint64_t>(std::chrono::milliseconds(most).count());
    const auto refuse = [&] {
        return fail(Errc::invalid_argument,
                    "{}: \"{}\" is not a time such as 500ms, 5s or 1m30s, at most {}h",
                    what,
                    printable(text),
                    most.count());
    };
    if (text == "0") {
        return std::chrono::milliseconds(0);
    }
    std::uint64_t sum = 0;
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const auto number = parse_number(rest.substr(0, digits), most_ms);
        rest.remove_prefix(digits);
        const std::size_t letters = std::min(rest.find_first_of("0123456789"), rest.size());
        const auto* const unit = std::ranges::find(kUnits, rest.substr(0, letters), &Unit::name);
        if (!number || unit == kUnits.end() || *number > most_ms / unit->ms) {
            return refuse();
        }
        sum += *number * unit->ms;
        rest.remove_prefix(letters);
    }
    if (text.empty() || sum > most_ms) {
        return refuse();
    }
    return std::chrono::milliseconds(sum);
}

}  // namespace knarr::cli
