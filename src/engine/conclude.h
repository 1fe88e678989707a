#pragma once
// What becomes of a container in the hands of whoever made it: its program has ended, or never
// began.

#include "engine/context.h"
#include "engine/new_container.h"
#include "engine/record.h"

namespace knarr::engine {

/// After a failure: what there is goes. A second failure is a warning; the first one is returned.
void undo(const Context& context, LockedDir dir, const Record& record);

/// Why a program that SIGKILL ended is not there any more, while its cgroup still is.
void tell_if_out_of_memory(const Context& context, const Record& record, int code);

/// The container has ended in our hands: remove it, or keep it with its exit code. Somebody may
/// have removed it already.
Result<> conclude(const Context& context, const NewContainer& wanted, Record record, int code);

}  // namespace knarr::engine
