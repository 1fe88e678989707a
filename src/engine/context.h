#pragma once
// engine: what a user asks for. Behind include/knarr/engine.h, which is all that an embedder sees;
// the command line calls a few of these besides (policy, plan, info, export, image_mounts,
// image_trees, container_copy, changes, volumes).
//
//   new_container.h   create and run, the one way from a Bundle to a record on disk
//   conclude.h        what becomes of a container when its program has ended, or never began
//   plan.h            what a start would do
//   run_image.h       `run IMAGE`: pulled, seen through, made a Bundle of, then new_container.h
//   exec.h            exec: exec_process.h says what runs, kept_config.h what the container is
//   attend.h          a program in the foreground: signals, exit code
//   console.h         who gets a terminal's other side; relay.h, flow.h: we do
//   handed_over.h     inherited descriptors, pid files, pidfds
//   notify.h          sd_notify; hook_output.h: where hooks write to
//   seccomp_agent.h   who gets the listener of a container's filter
//   operate.h         start, kill, state, list, wait          destroy.h   delete, and undo
//   pause.h           pause, resume                  processes.h   ps
//   checkpoint.h      checkpoint, restore: criu.h    features.h    what config.json may ask for
//   update.h          new limits                     statistics.h  what it uses, as events
//   states.h          which verb is legal in which state, as one table
//   record.h          ROOT/ID/state.json                      state_dir.h ROOT/ID/ and its locks
//   live.h            the record against the kernel: what a container's state really is
//   background.h      `run -d IMAGE`: a launch under a monitor; monitor.h what that does, watch.h
//                     what it decides, ending.h how it records an end
//   log_lines.h       the format of logs; log_store.h writes them, logs.h reads them
//   attach.h          a caller in front of a container: caller.h what he types, detach_keys.h,
//                     log_show.h and log_reader.h what he sees; attach_door.h, kept_terminal.h:
//                     in its monitor
//   container_copy.h  cp: tree_copy.h, tar_extract.h  changes.h     diff
//   health.h          health checks: the rules; probe.h makes one, prober.h has them made
//   stop.h            stop, wait                     names.h       names and rename
//   inspect.h         docker's shape of a container
//   container_data.h  DATA_ROOT/containers/ID/ of one made from an image
//   image_trees.h     image diff, image rootfs
//   volumes.h         DATA_ROOT/volumes/NAME/; tree_copy.h fills them
//   container_volumes.h   those of a container in the making
//   resolve.h         ID, name or the beginning of an ID -> ID
//   images.h          rmi beside the containers that stand on images
//   info.h, policy.h  what this host and build can do; which limits hold
//
// In: values of include/knarr. Out: the same, and files from which any later process can go on.

#include <functional>
#include <optional>
#include <string_view>

#include "engine/state_dir.h"
#include "knarr/engine.h"

namespace knarr::engine {

/// Where an operation works and whom it tells what fails nothing.
struct Context {
    const StateRoot& root;
    std::function<void(std::string_view)> warn;
    std::optional<bool> rootless = {};  // see EngineOptions
    CgroupManager cgroup_manager = CgroupManager::cgroupfs;
    std::function<Result<>()> before_seen = {};  // see EngineOptions
};

/// That of one who opened an Engine with these.
Context context_of(const StateRoot& root, const EngineOptions& options);

}  // namespace knarr::engine
