#pragma once
// The child's side of a launch: a loop over the plan's steps, then the gate, then the program.

#include <vector>

#include "platform/fd.h"
#include "runtime/launch/launch.h"
#include "runtime/launch/protocol.h"

namespace knarr::runtime {

/// What the child holds while it walks through the plan.
struct Child {
    const LaunchPlan& plan;
    const LaunchEvents& events;
    LaunchIo& io;
    const sys::Fd& trampoline;  // the sealed program that makes the last exec (platform)
    sys::Fd socket;             // to the parent
    /// Detached mounts for step i, which the parent had opened (launch/host_mounts.h).
    std::vector<sys::Fd> prepared;

    sys::Fd proc;   // the host's procfs, verified; closed before the gate
    sys::Fd root;   // the root of the container, from MountRoot on
    sys::Fd empty;  // an empty read-only tmpfs, mounted once and cloned for every masked directory
    /// The file systems on /proc, /sys and /dev: no volume may get into them through a link.
    std::vector<dev_t> kernel_places;
    // What the host's procfs was needed for after the gate.
    bool setgroups_denied = false;
    pid_t host_pid = 0;      // ours, as the host knows it
    sys::Fd label_files[2];  // our attr/exec of AppArmor, of SELinux; where there are labels

    bool joined = false;        // AwaitCgroup was done
    mode_t caller_umask = 022;  // what the program gets unless the plan says otherwise
};

/// Carries the plan out and ends in the program; only a failure returns to the caller's loop, and
/// that is reported to the parent here. Never returns.
[[noreturn]] void run_child(Child child);

/// Closes all but standard streams, what the program is to inherit, what the gate needs, and
/// `more`.
Result<> keep_for_the_gate(Child& child, std::vector<const sys::Fd*> more);

/// The procfs of the caller's mount namespace, verified.
Result<sys::Fd> open_host_proc();

/// One step, for each group of operations. `index` is the step's place in the plan.
Result<> apply(Child& child, std::size_t index, const Operation& operation);

/// The OCI state for hooks that run in the child.
Result<std::string> hook_state(const Child& child, std::string_view status);

/// What comes after the gate: identity, hooks, execve. Returns only on failure; `report` is the
/// socket that closes on success.
Result<> become_program(Child& child, const sys::Fd& report);

// mount_steps.cpp
Result<> mount_root(Child& child, const step::MountRoot& step, const sys::Fd* prepared);
Result<> mount_fs(Child& child, const step::MountFs& step);
Result<> bind(Child& child, const step::Bind& step, const sys::Fd* prepared);
Result<> remount(Child& child, const step::Remount& step);
Result<> mask_path(Child& child, const step::MaskPath& step);
Result<> readonly_path(Child& child, const step::ReadonlyPath& step);
Result<> enter_root(Child& child, const step::PivotRoot& step);
/// Opens the source of a bind as a detached mount, with the IDs that it is shown with.
Result<sys::Fd> open_bind_source(const step::Bind& step);

// device_steps.cpp
Result<> make_device(Child& child, const step::MakeDevice& step);
Result<> make_symlink(Child& child, const step::MakeSymlink& step);
Result<> open_console(Child& child, const step::Console& step);

}  // namespace knarr::runtime
