#pragma once
// Running from a file that nobody can write.

#include "knarr/result.h"

namespace knarr::sys {

/// Lets this program, which has a single thread, go on from a read-only mount of its own file that
/// is in no mount namespace. Without the right to do that it starts the program again from there,
/// with the same arguments, environment and inherited descriptors; where such a mount may not be
/// made, from a sealed copy in memory. Returns where it runs from such a file. Whoever then gets
/// hold of /proc/PID/exe of this process cannot overwrite the program (CVE-2019-5736).
/// Errors: what stands in the way; the program still runs from its own file.
Result<> run_from_unwritable_file();

}  // namespace knarr::sys
