#include "engine/states.h"

#include <string>

namespace knarr::engine {

namespace {
constexpr std::array<std::string_view, 9> kVerbs{
    "start", "kill", "delete", "delete --force", "pause", "resume", "exec", "update", "checkpoint"};

std::string advice(std::string_view id, ContainerState from, Transition transition) {
    if (transition == Transition::remove &&
        (from == ContainerState::running || from == ContainerState::paused)) {
        return fmt::format("knarr stop {0} first, or knarr rm --force {0}", id);
    }
    if (transition == Transition::start && from == ContainerState::stopped) {
        return fmt::format("knarr rm {}, and create it again", id);
    }
    if (from == ContainerState::creating) {
        return "another knarr is just making it: try again";
    }
    return "";
}

/// docker's words, which scripts look for; empty where it has none of its own.
std::string dockers_words(std::string_view id, ContainerState from, Transition transition) {
    const bool runs = from == ContainerState::running || from == ContainerState::paused;
    switch (transition) {
        case Transition::exec:
        case Transition::kill:
            return runs ? "" : fmt::format(" (Container {} is not running)", id);
        case Transition::pause:
            return from == ContainerState::paused
                       ? fmt::format(" (Container {} is already paused)", id)
                       : fmt::format(" (Container {} is not running)", id);
        case Transition::resume:
            return fmt::format(" (Container {} is not paused)", id);
        case Transition::remove:
            return runs ? fmt::format(" (You cannot remove a running container {})", id) : "";
        default:
            return "";
    }
}
}  // namespace

std::string_view name_of(Transition transition) {
    return kVerbs[static_cast<std::size_t>(transition)];
}

Result<After> next_state(std::string_view id, ContainerState from, Transition transition) {
    std::string wanted;
    for (const Step& step : kSteps) {
        if (step.transition != transition) {
            continue;
        }
        if (step.from == from) {
            return step.to;
        }
        wanted += wanted.empty() ? "" : " or ";
        wanted += knarr::name_of(step.from);
    }
    auto refused = fail(Errc::wrong_state,
                        "container {} is {}, not {}{}",
                        id,
                        knarr::name_of(from),
                        wanted,
                        dockers_words(id, from, transition));
    return fail(std::move(refused).error().advise(advice(id, from, transition)));
}

}  // namespace knarr::engine
