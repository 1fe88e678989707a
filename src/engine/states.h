#pragma once
// Which verb is legal in which state, as one table.

#include <array>
#include <cstdint>
#include <string_view>

#include "knarr/types.h"

namespace knarr::engine {

/// What is asked of a container that exists.
enum class Verb : std::uint8_t {
    start,
    kill,
    remove,
    force_remove,
    pause,
    resume,
    exec,
    update,
    checkpoint
};
std::string_view name_of(Verb verb);

/// "gone" is the absence of the container, not one of its states.
enum class After : std::uint8_t { created, running, paused, stopped, gone };

struct Step {
    ContainerState from = ContainerState::stopped;
    Verb verb = Verb::kill;
    After to = After::gone;
};

// Source: runtime-spec runtime.md, "Operations": start needs created, kill needs created or
// running, delete needs stopped. Beyond it, as runc: a created container may be deleted (it is
// killed), a paused one may be signalled, and force removes whatever there is.
inline constexpr std::array kSteps = {
    Step{ContainerState::created, Verb::start, After::running},
    Step{ContainerState::created, Verb::kill, After::created},
    Step{ContainerState::running, Verb::kill, After::running},
    Step{ContainerState::paused, Verb::kill, After::paused},
    Step{ContainerState::created, Verb::remove, After::gone},
    Step{ContainerState::stopped, Verb::remove, After::gone},
    Step{ContainerState::creating, Verb::force_remove, After::gone},
    Step{ContainerState::created, Verb::force_remove, After::gone},
    Step{ContainerState::running, Verb::force_remove, After::gone},
    Step{ContainerState::paused, Verb::force_remove, After::gone},
    Step{ContainerState::stopped, Verb::force_remove, After::gone},
    Step{ContainerState::running, Verb::pause, After::paused},
    Step{ContainerState::paused, Verb::resume, After::running},
    Step{ContainerState::created, Verb::exec, After::created},
    Step{ContainerState::running, Verb::exec, After::running},
    Step{ContainerState::created, Verb::update, After::created},
    Step{ContainerState::running, Verb::update, After::running},
    Step{ContainerState::paused, Verb::update, After::paused},
    // What becomes of it, the options of the checkpoint say.
    Step{ContainerState::running, Verb::checkpoint, After::gone},
    Step{ContainerState::paused, Verb::checkpoint, After::gone},
};

/// What the state becomes. Errors: wrong_state, naming the current and the expected states.
Result<After> next_state(std::string_view id, ContainerState from, Verb verb);

}  // namespace knarr::engine
