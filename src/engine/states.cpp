#include "engine/states.h"

#include <string>

namespace knarr::engine {

namespace {
constexpr std::array<std::string_view, 9> kVerbs{
    "start", "kill", "delete", "delete --force", "pause", "resume", "exec", "update", "checkpoint"};

std::string advice(std::string_view id, ContainerState from, Verb verb) {
    if (verb == Verb::remove &&
        (from == ContainerState::running || from == ContainerState::paused)) {
        return fmt::format("knarr stop {0} first, or knarr rm --force {0}", id);
    }
    if (verb == Verb::start && from == ContainerState::stopped) {
        return fmt::format("knarr rm {}, and create it again", id);
    }
    if (from == ContainerState::creating) {
        return "another knarr is just making it: try again";
    }
    return "";
}
}  // namespace

std::string_view name_of(Verb verb) {
    return kVerbs[static_cast<std::size_t>(verb)];
}

Result<After> next_state(std::string_view id, ContainerState from, Verb verb) {
    std::string wanted;
    for (const Step& step : kSteps) {
        if (step.verb != verb) {
            continue;
        }
        if (step.from == from) {
            return step.to;
        }
        wanted += wanted.empty() ? "" : " or ";
        wanted += knarr::name_of(step.from);
    }
    auto refused =
        fail(Errc::wrong_state, "container {} is {}, not {}", id, knarr::name_of(from), wanted);
    return fail(std::move(refused).error().advise(advice(id, from, verb)));
}

}  // namespace knarr::engine
