#include "engine/health.h"

#include <algorithm>
#include <array>

#include "core/limits.h"
#include "core/text.h"
#include "platform/file.h"

namespace knarr {

namespace {
constexpr std::array<std::string_view, 4> kActions{"none", "kill", "restart", "stop"};
constexpr std::array<std::string_view, 3> kStatuses{"starting", "healthy", "unhealthy"};
}  // namespace

std::string_view name_of(HealthAction action) {
    return kActions[static_cast<std::size_t>(action)];
}

std::optional<HealthAction> parse_health_action(std::string_view text) {
    const auto* const at = std::ranges::find(kActions, text);
    return at == kActions.end() ? std::nullopt
                                : std::optional(static_cast<HealthAction>(at - kActions.begin()));
}

std::string_view name_of(HealthStatus status) {
    return kStatuses[static_cast<std::size_t>(status)];
}

}  // namespace knarr

namespace knarr::engine {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kInterval{30'000}, kTimeout{30'000}, kStartInterval{5'000};
constexpr milliseconds kLeastOfImage{1'000};
constexpr unsigned kRetries = 3, kMaxRetries = 1'000'000;
constexpr milliseconds kLongest{std::chrono::hours(24 * 365)};
constexpr std::int64_t kNanosecondsPerMs = 1'000'000;

/// A time of the image's, in nanoseconds; 0 is not said. Whoever runs it, and not the image, may
/// have it probed more often than `least`.
Result<std::optional<milliseconds>> image_time(std::string_view name,
                                               std::int64_t nanoseconds,
                                               milliseconds least) {
    if (nanoseconds == 0) {
        return std::nullopt;
    }
    if (nanoseconds < kNanosecondsPerMs || nanoseconds / kNanosecondsPerMs > kLongest.count()) {
        return fail(Error{.code = Errc::invalid_image,
                          .message = fmt::format("the image's Healthcheck: {} of {} ns is not from "
                                                 "1 ms to a year",
                                                 name,
                                                 nanoseconds),
                          .hint = "--no-healthcheck runs it without"});
    }
    return std::max(milliseconds(nanoseconds / kNanosecondsPerMs), least);
}

Result<std::vector<std::string>> command_of(const HealthRequest& request,
                                            const spec::ImageHealthcheck* image) {
    using Command = std::vector<std::string>;
    if (request.shell) {
        return Command{"/bin/sh", "-c", *request.shell};
    }
    const Command test = image != nullptr ? image->test : Command();
    if (test.empty() || test.front() == "NONE") {
        return Command();
    }
    if (test.front() == "CMD" && test.size() > 1) {
        return Command(test.begin() + 1, test.end());
    }
    if (test.front() == "CMD-SHELL" && test.size() == 2) {
        return Command{"/bin/sh", "-c", test[1]};
    }
    return fail(Error{.code = Errc::invalid_image,
                      .message = fmt::format("the image's Healthcheck: a Test that begins with "
                                             "\"{}\" is not known",
                                             printable(test.front(), 40)),
                      .hint = "--no-healthcheck runs it without; --health-cmd gives another"});
}

}  // namespace

Result<std::optional<HealthCheck>> choose_health_check(const HealthRequest& request,
                                                       const spec::ImageHealthcheck* image) {
    if (request.disabled) {
        return std::nullopt;
    }
    HealthCheck check;
    check.command = KNARR_TRY(command_of(request, image));
    if (check.command.empty()) {
        return std::nullopt;
    }
    const spec::ImageHealthcheck said = image != nullptr ? *image : spec::ImageHealthcheck();
    const auto time = [](std::string_view name,
                         const std::optional<milliseconds>& asked,
                         std::int64_t of_image,
                         milliseconds fallback,
                         milliseconds least = milliseconds(0)) -> Result<milliseconds> {
        if (asked && asked->count() > 0) {
            return *asked;
        }
        return KNARR_TRY(image_time(name, of_image, least)).value_or(fallback);
    };
    check.interval =
        KNARR_TRY(time("Interval", request.interval, said.interval, kInterval, kLeastOfImage));
    check.timeout = KNARR_TRY(time("Timeout", request.timeout, said.timeout, kTimeout));
    check.start_period =
        KNARR_TRY(time("StartPeriod", request.start_period, said.start_period, milliseconds(0)));
    check.start_interval = KNARR_TRY(time("StartInterval",
                                          request.start_interval,
                                          said.start_interval,
                                          kStartInterval,
                                          kLeastOfImage));
    if (said.retries < 0 || said.retries > kMaxRetries) {
        return fail(Errc::invalid_image,
                    "the image's Healthcheck: Retries {} is not from 0 to {}",
                    said.retries,
                    kMaxRetries);
    }
    const unsigned of_image = static_cast<unsigned>(said.retries);
    const unsigned asked = request.retries.value_or(0);
    check.retries = asked > 0 ? asked : of_image > 0 ? of_image : kRetries;
    check.on_failure = request.on_failure;
    return check;
}

void step(HealthState& state, const HealthCheck& check, ProbeResult result, std::int64_t run_ms) {
    const bool good = result.exit_code == 0;
    state.log.push_back(std::move(result));
    if (state.log.size() > kMaxProbeLog) {
        state.log.erase(state.log.begin());
    }
    if (good) {
        state.status = HealthStatus::healthy;
        state.failing_streak = 0;
        return;
    }
    // A success ends the start period.
    if (state.status == HealthStatus::starting && run_ms < check.start_period.count()) {
        return;
    }
    ++state.failing_streak;
    if (state.failing_streak >= check.retries) {
        state.status = HealthStatus::unhealthy;
    }
}

std::int64_t probe_pause_ms(const HealthCheck& check, HealthStatus status, std::int64_t run_ms) {
    const bool starts = status == HealthStatus::starting && run_ms < check.start_period.count();
    return starts ? std::min(check.start_interval, check.interval).count() : check.interval.count();
}

std::string encode_health(const HealthState& state) {
    spec::JsonWriter json;
    json.begin_object().member("pid", state.pid).member("startTicks", state.start_ticks);
    json.member("status", knarr::name_of(state.status));
    json.member("failingStreak", state.failing_streak).key("log").begin_array();
    for (const ProbeResult& one : state.log) {
        json.begin_object().member("start", one.start).member("end", one.end);
        json.member("exitCode", one.exit_code).member("output", one.output).end_object();
    }
    json.end_array().end_object();
    return std::move(json).text();
}

Result<HealthState> decode_health(std::string_view text) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(text, {.name = kHealthFile}));
    const spec::JsonValue root = document.root();
    HealthState state;
    KNARR_TRY(root.required("pid", state.pid));
    KNARR_TRY(root.required("startTicks", state.start_ticks));
    std::string status;
    KNARR_TRY(root.required("status", status));
    const auto* const at = std::ranges::find(kStatuses, status);
    if (at == kStatuses.end()) {
        return fail(root.error_at("status", "is not known"));
    }
    state.status = static_cast<HealthStatus>(at - kStatuses.begin());
    KNARR_TRY(root.required("failingStreak", state.failing_streak));
    const auto log = root.find("log");
    if (!log) {
        return fail(root.error_at("log", "is missing"));
    }
    for (const auto& child : log->children()) {
        ProbeResult& one = state.log.emplace_back();
        KNARR_TRY(child.value.required("start", one.start));
        KNARR_TRY(child.value.required("end", one.end));
        KNARR_TRY(child.value.required("exitCode", one.exit_code));
        KNARR_TRY(child.value.required("output", one.output));
    }
    return state;
}

HealthState load_health(const sys::Fd& dir, pid_t pid, std::uint64_t start_ticks) {
    if (const auto text = sys::read_file_at(dir, kHealthFile, limits::kMaxStateBytes)) {
        auto state = decode_health(*text);
        if (state && state->pid == pid && state->start_ticks == start_ticks) {
            return *std::move(state);
        }
    }
    return HealthState{.pid = pid, .start_ticks = start_ticks, .log = {}};
}

void write_health_check(spec::JsonWriter& json, const std::optional<HealthCheck>& check) {
    if (!check) {
        return;
    }
    json.key("healthCheck").begin_object().member("command", check->command);
    json.member("intervalMs", check->interval.count());
    json.member("timeoutMs", check->timeout.count());
    json.member("startPeriodMs", check->start_period.count());
    json.member("startIntervalMs", check->start_interval.count());
    json.member("retries", check->retries);
    json.member("onFailure", knarr::name_of(check->on_failure)).end_object();
}

Result<> read_health_check(const spec::JsonValue& life, std::optional<HealthCheck>& out) {
    const auto value = life.find("healthCheck");
    if (!value) {
        return {};
    }
    HealthCheck& check = out.emplace();
    KNARR_TRY(value->required("command", check.command));
    const auto time = [&](std::string_view name, milliseconds& into) -> Result<> {
        std::int64_t ms = 0;
        KNARR_TRY(value->required(name, ms));
        if (ms < 0 || ms > kLongest.count()) {
            return fail(value->error_at(name, "is out of range"));
        }
        into = milliseconds(ms);
        return {};
    };
    KNARR_TRY(time("intervalMs", check.interval));
    KNARR_TRY(time("timeoutMs", check.timeout));
    KNARR_TRY(time("startPeriodMs", check.start_period));
    KNARR_TRY(time("startIntervalMs", check.start_interval));
    KNARR_TRY(value->required("retries", check.retries));
    std::string action;
    KNARR_TRY(value->required("onFailure", action));
    const auto parsed = parse_health_action(action);
    if (!parsed || check.command.empty() || check.interval.count() == 0) {
        return fail(value->error_at(parsed ? "command" : "onFailure", "is not known"));
    }
    check.on_failure = *parsed;
    return {};
}

}  // namespace knarr::engine
