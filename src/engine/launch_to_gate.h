#pragma once
// A launch up to the gate where the container's first process waits, and on from there.

#include <string>

#include "engine/console.h"
#include "engine/context.h"
#include "engine/new_container.h"
#include "engine/record.h"
#include "runtime/launch/launch.h"

namespace knarr::engine {

/// What is launched: one from before has what an undo leaves alone.
enum class LaunchOf : std::uint8_t { a_new_one, one_from_before };

/// A container up to its gate, with what is needed to go on or to undo it.
struct GatedContainer {
    LockedDir dir;
    Record record;
    runtime::Launched launched;
    Console console;
    std::string pid_file;
    LaunchOf what = LaunchOf::a_new_one;
};

/// Who opens it: any later process, by a socket in the state directory, or this one.
enum class Gate : std::uint8_t { socket, in_process };

/// Makes the container up to its gate, journalled step by step. What fails leaves nothing, but for
/// what one that ran before had. Errors: see Engine::create.
Result<GatedContainer> launch_to_gate(const Context& context,
                                      NewContainer& wanted,
                                      ConsoleWay way,
                                      Gate gate);

/// From the gate to the running program with its poststart hooks.
/// Errors: exec_not_found, exec_failed, hook_failed.
Result<> open_gate_and_record(const Context& context, GatedContainer& gated);

/// What there is of one that did not come to run goes, but for what it had before: how its last run
/// ended, too.
void undo_launch(const Context& context, LockedDir dir, Record record, LaunchOf what);

}  // namespace knarr::engine
