#pragma once
// Ending and removing containers, whatever state they are in.

#include "engine/context.h"
#include "engine/record.h"

namespace knarr::engine {

/// Ends the unit and removes the cgroup, and what is its own of resctrl, of a container without
/// processes.
Result<> remove_place(const Context& context, const Record& record);

/// Kills what is left of a container, removes its cgroup, runs its poststop hooks (a failure is a
/// warning), removes its data directory, its anonymous volumes where they go with it, and its state
/// directory. Stops at the first thing that cannot be removed, so that a later call can go on: then
/// `dir` is still locked. A cgroup that others have made theirs below (linux.cgroupsPath may lie
/// anywhere) stays, with a warning.
Result<> destroy(const Context& context,
                 LockedDir& dir,
                 const Record& record,
                 AnonymousVolumes volumes = AnonymousVolumes::stay);

/// The same without the state directory and the hooks: for the leftover of a killed create, whose
/// place a new container takes.
Result<> clear_leftover(const Context& context, const Record& record);

/// Kills what is left of the last run of a container that stays, removes its cgroup, and records
/// that it has stopped, with the exit code and times that `record` has. A cgroup that cannot be
/// removed is a warning, and stays in the record for the next start or removal.
Result<> end_run(const Context& context, const LockedDir& dir, Record& record);

/// `knarr delete`. Where the record is damaged, empty or gone, the copy in `data_root` says what
/// there is to remove. Errors: see Engine::remove.
Result<> remove_container(const Context& context,
                          const std::string& data_root,
                          const ContainerId& id,
                          RemoveMode mode,
                          AnonymousVolumes volumes = AnonymousVolumes::stay);

}  // namespace knarr::engine
