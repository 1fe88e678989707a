#pragma once
// The one applier: carries a LaunchPlan out.
//
// The parent and the child talk over one SOCK_SEQPACKET pair. Time runs down; `<-` and `->` are the
// messages of the enum in protocol.h.
//
//   parent                                     child (pid 1 of a new pid namespace)
//   ------------------------------------------ ----------------------------------------------------
//   open namespaces to join, verify their type
//   v2: make the cgroup, write its limits
//   clone3 (into the v2 cgroup; by a middle
//   process where a namespace is joined, which
//   hands on the pidfd)
//                                              wait for maps (only in a new user namespace)
//   systemd: ask for a scope with the child,
//   write uid_map, gid_map, wait for the scope,
//   write the limits that it has no property for
//                                    maps ->   make or enter the network namespace
//   v1: make the cgroups, write their limits   steps: propagation, root, mounts, devices, masks
//   all `tasks` files              joined ->   AwaitCgroup: move itself there
//   meanwhile()                                cgroup namespace, cgroup mounts
//   without gate_listener and hooks:
//   on_created(pid)
//                                   <- devices AwaitNetDevices (only where there are some)
//   move network interfaces      devices ->
//                                   <- hooks   AwaitRuntimeHooks (only where there are some)
//   hooks prestart, createRuntime   hooks ->   CreateContainerHooks, PivotRoot, the rest
//                                   <- ready   all steps done, nothing of the user's has run
//   on_created(pid): record on disk
//                               recorded ->    with a gate_listener only: closes this socket and
//                                              waits there, so that it outlives the parent
//   ........................................... the gate .......................................
//   open_gate, or `knarr start`       go ->    user, capabilities, hooks startContainer (with those
//                                              and under the filter), seccomp, trampoline, execve
//                                   <- listener (only with SCMP_ACT_NOTIFY: from a second thread)
//   give it to the agent          listened ->
//                        <- failed, or EOF     the socket closes on a successful execve
//
// While it makes its steps a child has the parent-death signal, and one that finds the socket
// closed while it still uses it ends itself: a parent killed before `recorded`, or before the gate
// of a `run`, leaves no process behind. `failed` may come at any time; it carries the step's name,
// errno and a message.

#include <functional>
#include <string>
#include <string_view>

#include "platform/fd.h"
#include "platform/run_program.h"
#include "runtime/launch/plan.h"

namespace knarr::runtime {

/// Where hooks write to; an invalid one: as sys::Program has it.
struct HookOutput {
    sys::Fd out, err;
};

/// Things that the caller passes in by descriptor.
struct LaunchIo {
    /// Bound and listening SOCK_SEQPACKET socket that will be the gate of a `create`; invalid: the
    /// gate is Launched::gate, in this process.
    sys::Fd gate_listener;
    HookOutput hook_output;
    sys::Fd console_socket;  // connected; receives the terminal's master
    /// stdin, stdout, stderr of the program; invalid: inherited.
    sys::Fd stdio[3];
    /// A network namespace that was made ahead, for a plan with a new one and without another user
    /// namespace; invalid: the child makes it.
    sys::Fd network;
    /// For a plan that joins a container: its first process's pidfd.
    sys::Fd target;
    /// A lock of the caller's that must end with the caller: the child closes its copy. -1: none.
    int lock_fd = -1;
};

/// What the hooks and the record need while the launch is under way.
struct LaunchEvents {
    /// The OCI state as JSON for a hook's stdin, for the given status and pid (0: none).
    std::function<std::string(std::string_view status, pid_t pid)> state_json;
    /// Called while the child is at work and the parent would only wait; may be empty.
    std::function<Result<>()> meanwhile;
    /// Called when a plan with a unit has its cgroup, with where that is in truth.
    std::function<void(const sys::CgroupPlan&)> on_placed = {};
    /// Called when the child is ready, or before where only this process can open the gate: write
    /// the record. A failure ends the launch.
    std::function<Result<>(pid_t pid)> on_created;
};

/// A child stopped at its gate.
struct Launched {
    pid_t pid = 0;  // in the caller's pid namespace
    sys::Fd pidfd;
    sys::Fd gate;  // invalid when a gate_listener was given
};

/// Carries out everything up to the gate. On failure nothing is left: the child is killed and
/// reaped, the cgroup made here is removed.
/// Errors: as the failing step says, with the step's name; hook_failed.
Result<Launched> launch(const LaunchPlan& plan, LaunchIo io, const LaunchEvents& events);

/// The same for a plan that joins a running container: the child stands inside it, in its cgroup,
/// behind Launched::gate. No hooks, nothing recorded; on failure nothing is left.
/// Errors: wrong_state when the container has ended.
Result<Launched> launch_into(const LaunchPlan& plan, LaunchIo io);

/// Who decides the calls that a seccomp filter asks about. Source: runtime-spec config-linux.md
/// "Seccomp", listenerPath; "The Container Process State".
struct ListenerAgent {
    std::string path;        // a socket of the host; empty: the filter asks nobody
    std::string state_json;  // the container process state
};

/// Opens the gate: the child runs its startContainer hooks and executes the program. The agent gets
/// the filter's listener before that; where it cannot, nothing runs.
/// Errors: exec_not_found, exec_failed (the message says which file, which interpreter, which
/// architecture), hook_failed, denied.
Result<> open_gate(const sys::Fd& gate, const ListenerAgent& agent = {});
/// The same from another process, by the gate's socket in the state directory (`knarr start`).
Result<> open_gate_at(const sys::Fd& state_dir,
                      const std::string& socket_name,
                      const ListenerAgent& agent = {});
/// Makes the listening socket `socket_name` (0600) in `state_dir` for LaunchIo::gate_listener.
Result<sys::Fd> listen_gate(const sys::Fd& state_dir, const std::string& socket_name);

/// A root file system as a detached mount, attached nowhere yet.
Result<sys::Fd> open_root_source(const bundle::RootFs& rootfs);

/// Runs hooks one after the other in the calling process's namespaces, each with `state` on stdin.
/// Those that run inside are `confined`.
/// Errors: hook_failed with the hook's path, its exit status or timeout.
Result<> run_hooks(const std::vector<spec::Hook>& hooks,
                   std::string_view point,
                   const std::string& state,
                   const HookOutput& output,
                   const sys::Confined& confined = {});

}  // namespace knarr::runtime
