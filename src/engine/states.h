#pragma once
// Which verb is legal in which state, as one table.

#include <array>
#include <cstdint>
#include <string_view>

#include "knarr/types.h"

namespace knarr::engine {

/// What is asked of a container that exists.
enum class Transition : std::uint8_t {
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
std::string_view name_of(Transition transition);

/// "gone" is the absence of the container, not one of its states.
enum class After : std::uint8_t { created, running, paused, stopped, gone };

struct Step {
    ContainerState from = ContainerState::stopped;
    Transition transition = Transition::kill;
    After to = After::gone;
};

// Source: runtime-spec runtime.md, "Operations": start needs created, kill needs created or
// running, delete needs stopped. Beyond it, as runc: a created container may be deleted (it is
// killed), a paused one may be signalled, and force removes whatever there is.
inline constexpr std::array kSteps = {
    Step{ContainerState::created, Transition::start, After::running},
    Step{ContainerState::created, Transition::kill, After::created},
    Step{ContainerState::running, Transition::kill, After::running},
    Step{ContainerState::paused, Transition::kill, After::paused},
    Step{ContainerState::created, Transition::remove, After::gone},
    Step{ContainerState::stopped, Transition::remove, After::gone},
    Step{ContainerState::creating, Transition::force_remove, After::gone},
    Step{ContainerState::created, Transition::force_remove, After::gone},
    Step{ContainerState::running, Transition::force_remove, After::gone},
    Step{ContainerState::paused, Transition::force_remove, After::gone},
    Step{ContainerState::stopped, Transition::force_remove, After::gone},
    Step{ContainerState::running, Transition::pause, After::paused},
    Step{ContainerState::paused, Transition::resume, After::running},
    Step{ContainerState::created, Transition::exec, After::created},
    Step{ContainerState::running, Transition::exec, After::running},
    Step{ContainerState::created, Transition::update, After::created},
    Step{ContainerState::running, Transition::update, After::running},
    Step{ContainerState::paused, Transition::update, After::paused},
    // What becomes of it, the options of the checkpoint say.
    Step{ContainerState::running, Transition::checkpoint, After::gone},
    Step{ContainerState::paused, Transition::checkpoint, After::gone},
};

/// What the state becomes. Errors: wrong_state, naming the current and the expected states.
Result<After> next_state(std::string_view id, ContainerState from, Transition transition);

}  // namespace knarr::engine
