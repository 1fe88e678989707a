#include <array>
#include <chrono>

#include "cli/chosen.h"
#include "cli/containers.h"
#include "cli/duration.h"
#include "core/text.h"
#include "platform/socket.h"

namespace knarr::cli {

namespace {

constexpr std::array kOptions{
    kLatestOption,
    Option{.name = "ignore",
           .letter = 0,
           .help = "of one that is not there print -1; else it is an error"},
    Option{.name = "condition",
           .value = "STATE",
           .help = "until it is created, running, paused, exited (stopped), healthy or unhealthy",
           .fallback = "exited",
           .repeatable = true},
    Option{.name = "interval",
           .letter = 'i',
           .value = "TIME",
           .help = "how often to look for other states than exited, which is waited for",
           .fallback = "100ms"},
};

using Condition = bool (*)(const ContainerInfo& info);

bool has_health(const ContainerInfo& info, HealthStatus status) {
    return info.state == ContainerState::running && info.health && info.health->status == status;
}

struct NamedCondition {
    std::string_view name;
    Condition holds;
};
constexpr std::array<NamedCondition, 7> kConditions{{
    {"created", [](const ContainerInfo& i) { return i.state == ContainerState::created; }},
    {"running", [](const ContainerInfo& i) { return i.state == ContainerState::running; }},
    {"paused", [](const ContainerInfo& i) { return i.state == ContainerState::paused; }},
    {"exited", [](const ContainerInfo& i) { return i.state == ContainerState::stopped; }},
    {"stopped", [](const ContainerInfo& i) { return i.state == ContainerState::stopped; }},
    {"healthy", [](const ContainerInfo& i) { return has_health(i, HealthStatus::healthy); }},
    {"unhealthy", [](const ContainerInfo& i) { return has_health(i, HealthStatus::unhealthy); }},
}};

Result<std::vector<Condition>> parse_conditions(const Parsed& args) {
    std::vector<Condition> conditions;
    for (const std::string_view text : args.all("condition")) {
        const auto* const at = std::ranges::find(kConditions, text, &NamedCondition::name);
        if (at == kConditions.end()) {
            return fail(Errc::invalid_argument,
                        "--condition \"{}\" is none of created, running, paused, exited, stopped, "
                        "healthy, unhealthy",
                        printable(text));
        }
        conditions.push_back(at->holds);
    }
    const bool only_ended = std::ranges::all_of(
        args.all("condition"), [](auto text) { return text == "exited" || text == "stopped"; });
    return only_ended ? std::vector<Condition>{} : conditions;  // for an end nothing is asked twice
}

/// -1: it has not ended, and that is what was waited for.
Result<int> wait_for_end(Engine& engine, std::string_view id) {
    const std::optional<int> code = KNARR_TRY(engine.wait(id));
    if (!code) {
        return fail(
            Error{.code = Errc::wrong_state,
                  .message = fmt::format(
                      "container {} has ended, and nobody saw with which exit code", printable(id)),
                  .hint = "knarr inspect ID says what is known of it"});
    }
    return *code;
}

Result<int> wait_for(Engine& engine,
                     std::string_view id,
                     const std::vector<Condition>& conditions,
                     std::chrono::milliseconds interval) {
    if (conditions.empty()) {
        return wait_for_end(engine, id);
    }
    // One container, whoever gets its name meanwhile.
    ContainerInfo info = KNARR_TRY(engine.state(id));
    while (std::ranges::none_of(conditions, [&](Condition holds) { return holds(info); })) {
        KNARR_TRY(sys::wait_ready({}, static_cast<int>(interval.count())));
        info = KNARR_TRY(engine.state(info.id));
    }
    return info.state == ContainerState::stopped ? wait_for_end(engine, info.id) : Result<int>(-1);
}

Result<int> run_wait(Context& context, const Parsed& args) {
    constexpr std::chrono::milliseconds kMost{std::chrono::hours(24)};
    const std::vector<Condition> conditions = KNARR_TRY(parse_conditions(args));
    const std::chrono::milliseconds interval =
        KNARR_TRY(parse_duration(args.get("interval", "100ms"), "option --interval"));
    if (interval.count() == 0 || interval > kMost) {
        return fail(Errc::invalid_argument, "option --interval: from 1ms to 24h");
    }
    Engine engine = KNARR_TRY(open_engine(context));
    const auto any = [](const ContainerInfo&) { return true; };
    const auto wait = [&](std::string_view id) -> Result<> {
        Result<int> code = wait_for(engine, id, conditions, interval);
        if (!code && code.error().code == Errc::not_found && args.flag("ignore")) {
            code = -1;
        }
        return print(fmt::format("{}\n", KNARR_TRY(std::move(code))));
    };
    return for_each_chosen(context, engine, args, any, wait);
}

}  // namespace

constexpr Verb kWait{
    .name = "wait",
    .synopsis = "[options] ID...",
    .summary = "wait until a container has ended, print its exit code",
    .about =
        "Waits for each container and prints the exit code of its program, 128+n when signal n\n"
        "ended it. Any number may wait for the same one; of one that has ended the recorded code "
        "is\n"
        "printed at once. With --condition it waits for another state, the first of several, and\n"
        "prints -1 where that is not an end.",
    .example = "knarr wait --condition healthy web",
    .options = kOptions,
    .run = run_wait,
};

}  // namespace knarr::cli
