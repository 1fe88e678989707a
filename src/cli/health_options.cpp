#include "cli/health_options.h"

#include <algorithm>

#include "cli/duration.h"
#include "core/text.h"

namespace knarr::cli {

namespace {

constexpr std::uint64_t kMaxRetries = 1'000'000;

Result<std::optional<std::chrono::milliseconds>> find_duration(const Parsed& args,
                                                               std::string_view name) {
    const auto text = args.find(name);
    if (!text) {
        return std::nullopt;
    }
    return KNARR_TRY(parse_duration(*text, fmt::format("--{}", name)));
}

}  // namespace

Result<HealthRequest> parse_health(const Parsed& args) {
    HealthRequest request;
    const auto* const given = std::ranges::find_if(
        kHealthOptions, [&](const Option& option) { return args.has(option.name); });
    if (given == kHealthOptions.end()) {
        return request;
    }
    request.disabled = args.flag("no-healthcheck");
    const auto* const other = std::ranges::find_if(kHealthOptions, [&](const Option& option) {
        return option.name != "no-healthcheck" && args.has(option.name);
    });
    if (request.disabled && other != kHealthOptions.end()) {
        return fail(
            Errc::invalid_argument, "--no-healthcheck and --{} contradict each other", other->name);
    }
    if (const auto command = args.find("health-cmd")) {
        if (command->empty()) {
            return fail(Errc::invalid_argument, "--health-cmd is empty");
        }
        request.disabled = *command == "none";  // as podman has it
        request.shell = *command;
    }
    request.interval = KNARR_TRY(find_duration(args, "health-interval"));
    request.timeout = KNARR_TRY(find_duration(args, "health-timeout"));
    request.start_period = KNARR_TRY(find_duration(args, "health-start-period"));
    request.start_interval = KNARR_TRY(find_duration(args, "health-start-interval"));
    if (const auto retries = KNARR_TRY(args.number("health-retries", kMaxRetries))) {
        request.retries = static_cast<unsigned>(*retries);
    }
    const std::string_view action = args.get("health-on-failure", "none");
    const auto parsed = parse_health_action(action);
    if (!parsed) {
        return fail(Errc::invalid_argument,
                    "--health-on-failure \"{}\" is none of none, kill, restart, stop",
                    printable(action));
    }
    request.on_failure = *parsed;
    if (*parsed == HealthAction::restart && args.flag("rm")) {
        return fail(Errc::invalid_argument,
                    "--rm and --health-on-failure restart contradict each other: one removes what "
                    "the other starts again");
    }
    return request;
}

}  // namespace knarr::cli
