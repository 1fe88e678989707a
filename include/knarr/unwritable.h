#pragma once
// Keeping containers from overwriting the program that runs them.

#include "knarr/result.h"

namespace knarr {

/// Lets the calling program go on from a copy or mount of its own file that nobody can write: a
/// program of a container that gets hold of /proc/PID/exe of a process of ours (exec, hooks
/// startContainer, a pid namespace that is joined) then cannot overwrite it (CVE-2019-5736).
///
/// Call it first in main(), as examples/embed does: where such a mount may not be made, the program
/// is executed once more from a sealed copy in memory, with the same arguments, environment and
/// inherited descriptors. In a program with a single thread it can be
/// EngineOptions::before_seen as well, which is called only where it matters. A second call does
/// nothing.
/// Errors: wrong_state in a program with several threads that does not run from such a file yet;
/// else what stands in the way. After one the program still runs from its own file.
Result<> run_from_unwritable_file();

}  // namespace knarr
