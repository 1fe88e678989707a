#pragma once
// The file that this process executes, and that /proc/PID/exe leads to.

#include "platform/fd.h"

namespace knarr::sys {

/// Lets this process, which has a single thread, go on from `file`: another way to the very file it
/// was started from. /proc/PID/exe and everything that is mapped lead there and no longer to the
/// old one. Unlike an exec it costs neither a start of the C library nor a second reading of the
/// command line. Where an error comes back the program goes on as before.
/// Errors: denied without CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the user namespace; what a
/// kernel without CONFIG_CHECKPOINT_RESTORE says; unsupported in a build with sanitizers, whose
/// data is described elsewhere. Source: prctl(2) PR_SET_MM_MAP; the kernel refuses while the old
/// file is mapped anywhere.
Result<> go_on_from(const Fd& file);

}  // namespace knarr::sys
