#pragma once
// engine: what a user asks for. Behind include/knarr/engine.h, which is all that an embedder sees;
// the command line calls a few of these besides (policy, plan, info, export, image_mounts,
// image_trees, container_copy, changes, volumes, doctor).
//
//   new_container.h   create and run, the one way from a Bundle to a record on disk, in steps:
//                     container_plan.h, nested_cgroup.h, new_record.h, launch_to_gate.h
//   conclude.h        what becomes of a container when its program has ended, or never began
//   run_image.h       `run IMAGE`: prepare_image.h, then new_container.h; never_ran.h: made by
//                     `create`; run_again.h: has ended; launch_failures.h, for `explain`
//   prepare_image.h   all that is decided before: pulled, made a Bundle of; image_user.h: for whom;
//                     host_devices.h: --device; image_record.h: what its record keeps
//   exec.h            exec: exec_process.h says what runs, kept_config.h what the container is
//   attend.h          a program in the foreground    plan.h        what a start would do
//   console.h         who gets a terminal's other side; relay.h, flow.h, flow_io.h: we do
//   handed_over.h     inherited descriptors, pidfds  notify.h      sd_notify; hook_output.h: hooks'
//   seccomp_agent.h   who gets the listener of a container's filter
//   operate.h         start, kill, state, list, wait destroy.h     delete, and undo
//   pause.h           pause, resume                  processes.h   ps
//   checkpoint.h      checkpoint, restore: criu.h, checkpoint_label.h what one says of itself
//   features.h        what config.json may ask for
//   update.h          new limits; kept_limits.h      statistics.h  what it uses, as events
//   states.h          which verb is legal when       event_log.h   what happened to containers
//   record.h          ROOT/ID/state.json; life.h what one of an image has besides, record_json.h
//                     the text                       state_dir.h   ROOT/ID/ and its locks
//   live.h            the record against the kernel  recover.h     all containers after a crash
//   background.h      `run -d IMAGE`: a launch under a monitor; monitor.h what that does, watch.h
//                     what it decides, ending.h how it records an end, held_streams.h what it
//                     holds, monitor_children.h, monitor_partner.h the other one, monitor_rest.h
//                     its pauses, monitor_context.h where it works; monitor_start.h how there comes
//                     to be one, monitor_lock.h how that is seen; errand.h what others do for it
//   restart.h         whether one runs again by itself; rerun.h its monitor's part in that
//   log_lines.h       the format of logs; log_store.h writes them, logs.h reads them, log_tail.h
//                     finds the last lines; journal.h hands them to the system's journal
//   attach.h          a caller before a container: visit.h; attach_client.h, typed_input.h what he
//                     types, detach_keys.h, log_show.h and log_reader.h what he sees;
//                     end_of_input.h; attach_door.h, kept_terminal.h: in its monitor
//   container_copy.h  cp: tree_copy.h, tar_extract.h changes.h     diff
//   health.h          health checks: the rules; probe.h makes one, prober.h has them made
//   stop.h            stop, wait                     names.h       names; generated_name.h
//   owner.h           files of many users; owner_values.h: what work on them returns and tells
//   inspect.h         docker's shape of a container; inspect_host_config.h its HostConfig,
//                     inspect_mounts.h its volumes
//   container_data.h  DATA_ROOT/containers/ID/; container_files.h: its files; export.h: as a tar
//   image_trees.h     image diff, rootfs, export     image_mounts.h image mount
//   volumes.h         those of DATA_ROOT; container_volumes.h of one in the making; volumes_from.h
//   resolve.h         ID, name or a beginning -> ID  images.h      rmi beside containers
//   own_log.h         what knarr itself has to say, in a file; operation.cpp: calls to be polled
//   info.h, policy.h  what this host can do, limits  doctor.h      what keeps it from running them
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
    OwnLog monitor_log = {};
    std::function<void(std::string_view)> about = {};
};

/// Says which container an operation is about.
void tell_about(const Context& context, std::string_view id);

/// That of one who opened an Engine with these.
Context context_of(const StateRoot& root, const EngineOptions& options);

}  // namespace knarr::engine
