#pragma once
// Which file process.args names, and what is wrong with it.

#include <optional>
#include <string>

#include "runtime/launch/plan.h"

namespace knarr::runtime {

/// What can be said of the program before the gate, by the root of the container: that it is in no
/// directory of PATH, not there, or executable for nobody; the same for the working directory.
/// `create` fails on it, as with runc and crun: their callers (podman, containerd) report a create
/// and know 126 and 127 from it. What only the user of the program is refused is left to the start.
Result<> check_program(const Program& program);

/// args[0] as a path, looked up as execvp(3) does, as the user that the program runs as.
Result<std::string> find_program(const Program& program);

/// What is to be said if the program then is not executed: what looks wrong with it, or just its
/// path (errno 0). Only a guess: binfmt_misc may run what looks foreign.
Error suspect_program(const std::string& path);

/// A failed execve in people's words. `suspect` is what suspect_program() said before.
Error explain_exec(Error failed, std::optional<Error> suspect);

}  // namespace knarr::runtime
