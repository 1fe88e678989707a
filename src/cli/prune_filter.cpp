#include "cli/prune_filter.h"

#include <algorithm>
#include <chrono>

#include "cli/key_value.h"
#include "cli/log_time.h"
#include "cli/moment.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

std::optional<bool> truth_of(std::string_view value) {
    if (value == "true" || value == "1") {
        return true;
    }
    return value == "false" || value == "0" ? std::optional(false) : std::nullopt;
}

std::unexpected<Error> unknown(std::string_view text, const PruneKeys& keys) {
    std::string known = keys.until ? "until=24h, label=KEY[=VALUE]" : "label=KEY[=VALUE]";
    known += keys.truth.empty()
                 ? " and label!=KEY[=VALUE] are"
                 : fmt::format(", label!=KEY[=VALUE] and {}=true|false are", keys.truth);
    return fail(Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--filter \"{}\" is not known", printable(text)),
                      .hint = std::move(known)});
}

}  // namespace

Result<PruneFilter> PruneFilter::parse(const std::vector<std::string_view>& texts,
                                       PruneKeys keys,
                                       std::int64_t now_ns) {
    PruneFilter filter;
    for (const std::string_view text : texts) {
        const std::size_t equals = text.find('=');
        const std::string_view key = text.substr(0, equals);
        if (equals == std::string_view::npos || equals + 1 == text.size()) {
            return unknown(text, keys);
        }
        const std::string value(text.substr(equals + 1));
        if (key == "label" || key == "label!") {
            (key == "label" ? filter.labels_ : filter.not_labels_).push_back(value);
        } else if (key == "until" && keys.until) {
            const Clock::Wall now{std::chrono::nanoseconds(now_ns)};
            const std::string latest = KNARR_TRY(parse_log_time(value, now, "--filter until"));
            filter.until_.push_back(seconds_of(latest).value_or(0));
        } else if (!keys.truth.empty() && key == keys.truth && truth_of(value)) {
            filter.truth_ = truth_of(value);
        } else {
            return unknown(text, keys);
        }
    }
    return filter;
}

bool PruneFilter::fits(const std::map<std::string, std::string>& labels,
                       const std::string& made) const {
    const auto has = [&](const std::string& wanted) { return has_label(labels, wanted); };
    const std::int64_t since = seconds_of(made).value_or(0);
    return std::ranges::all_of(labels_, has) && std::ranges::none_of(not_labels_, has) &&
           std::ranges::all_of(until_, [&](std::int64_t latest) { return since <= latest; });
}

}  // namespace knarr::cli
