#pragma once
// A LaunchPlan is everything that will be done to start one container, as plain values in order:
// printable, comparable, made by a pure function (runtime/native/plan.h), carried out by the one
// applier (launch.h). Paths inside the container are resolved by the applier beneath the root's
// descriptor; host paths are opened once, before the child leaves the host's view.
//
// A launch runs on three sides (drawn in launch.h): the parent before the clone, the child, and the
// parent beside the child. `steps` are the child's, in order, up to the gate; what the parent does
// is in `cgroup`, `id_maps` and `hooks`; what the child does after the gate is in `identity` and
// `program`.

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <sys/types.h>

#include "bundle/rootfs.h"
#include "platform/cgroup.h"
#include "platform/resctrl.h"
#include "platform/seccomp.h"
#include "rpc/systemd.h"
#include "spec/runtime_config.h"

namespace knarr::runtime {

namespace step {

/// Sets the propagation of the whole mount tree ("/"), first of all. `flags` are MS_SLAVE|MS_REC...
struct Propagate {
    unsigned long flags = 0;
};
/// Mounts the root file system at its place and keeps its descriptor for all that follows.
struct MountRoot {
    bundle::RootFs rootfs;
};
/// Mounts a new file system (proc, sysfs, tmpfs, devpts, mqueue, cgroup, cgroup2, ...).
struct MountFs {
    std::string fstype;
    std::string source;
    std::string target;                // in the container
    unsigned long flags = 0;           // MS_NOSUID|MS_RDONLY|..., as mount(2)
    std::string data;                  // "mode=755,size=64k": remaining options
    unsigned long propagation = 0;     // MS_PRIVATE|MS_REC..., 0: leave
    bool copy_up = false;              // tmpcopyup: fill the tmpfs with what the target held
    std::uint32_t target_mode = 0755;  // of a target that has to be made
};
/// Binds a host file, directory, socket or device.
struct Bind {
    std::string source;  // host path; opened before the pivot
    std::string target;
    bool recursive = false;
    std::uint64_t set = 0, clear = 0;          // MOUNT_ATTR_* of the bound mount itself
    std::uint64_t rec_set = 0, rec_clear = 0;  // MOUNT_ATTR_* of it and all below (rro, rnosuid)
    unsigned long propagation = 0;
    std::vector<spec::IdMapping> uid_mappings, gid_mappings;  // idmapped mount where not empty
    bool idmap_recursive = false;
};
/// Changes flags of a mount that is already there (option "remount").
struct Remount {
    std::string target;
    unsigned long flags = 0;
    std::string data;
    bool bind = false;
};
/// Makes a device node or FIFO or, where nodes cannot be made, binds the host's node of that path.
struct MakeDevice {
    std::string path;
    mode_t type = 0;  // S_IFCHR, S_IFBLK, S_IFIFO
    std::uint32_t major = 0, minor = 0;
    std::uint32_t mode = 0666;
    uid_t uid = 0;
    gid_t gid = 0;
    bool bind = false;
};
struct MakeSymlink {
    std::string path;
    std::string target;  // the link's text
};
/// Hides a path: a file below our own null device, a directory below an empty read-only tmpfs.
/// A path that is not there is skipped.
struct MaskPath {
    std::string path;
};
struct ReadonlyPath {
    std::string path;
};
/// Makes the root mount itself read-only; just before the pivot.
struct ReadonlyRoot {};
/// Sets the propagation of the root mount (linux.rootfsPropagation) after the pivot.
struct PropagateRoot {
    unsigned long flags = 0;
};
/// Lets the parent move network interfaces of the host here, and waits.
struct AwaitNetDevices {};
/// Lets the parent run the hooks `prestart` and `createRuntime`, and waits.
struct AwaitRuntimeHooks {};
/// Runs the hooks `createContainer` in the child, which still sees the host's files.
struct CreateContainerHooks {};
/// Waits until the parent has put the child into its cgroup, then unshares the cgroup namespace
/// where asked. Everything that shows or depends on the cgroup comes after it.
struct AwaitCgroup {
    bool unshare_namespace = false;
};
struct PivotRoot {
    enum class Way : std::uint8_t { pivot, move, chroot };  // move: --no-pivot; chroot: no mount ns
    Way way = Way::pivot;
};
struct SetHostname {
    std::string name;
};
struct SetDomainname {
    std::string name;
};
/// Writes a namespaced sysctl, "net/ipv4/ip_forward", through the host's own procfs, opened and
/// verified before the pivot, never through the container's.
struct Sysctl {
    std::string path;
    std::string value;
};
/// Writes /proc/self/FILE through the same procfs: oom_score_adj, ...
struct ProcSelf {
    std::string file;
    std::string text;
};
struct LoopbackUp {};
struct SessionKeyring {
    std::string name;
};
struct Rlimits {
    struct One {
        int resource = 0;
        std::uint64_t soft = 0, hard = 0;
    };
    std::vector<One> all;
};
struct Personality {
    unsigned long persona = 0;
};
/// sched_setattr(2).
struct SchedulerPolicy {
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
};
/// ioprio_set(2): class << 13 | level.
struct IoPriority {
    int value = 0;
};
/// set_mempolicy(2).
struct MemoryPolicy {
    int mode = 0;  // with MPOL_F_* flags
    std::vector<std::uint64_t> node_mask;
};
/// Makes a new terminal in the container's devpts, sends its master over the console socket and
/// makes it stdin, stdout, stderr and the controlling terminal.
struct Console {
    std::optional<spec::ConsoleSize> size;
    bool on_dev_console = true;  // also bound on /dev/console
    uid_t owner = 0;             // who the program is: it may open its terminal by name
};
/// Makes and enters a new time namespace with these /proc/self/timens_offsets lines.
struct TimeOffsets {
    std::string text;
};

}  // namespace step

using Operation = std::variant<step::Propagate,
                               step::MountRoot,
                               step::MountFs,
                               step::Bind,
                               step::Remount,
                               step::MakeDevice,
                               step::MakeSymlink,
                               step::MaskPath,
                               step::ReadonlyPath,
                               step::ReadonlyRoot,
                               step::PropagateRoot,
                               step::AwaitNetDevices,
                               step::AwaitRuntimeHooks,
                               step::CreateContainerHooks,
                               step::AwaitCgroup,
                               step::PivotRoot,
                               step::SetHostname,
                               step::SetDomainname,
                               step::Sysctl,
                               step::ProcSelf,
                               step::LoopbackUp,
                               step::SessionKeyring,
                               step::Rlimits,
                               step::Personality,
                               step::SchedulerPolicy,
                               step::IoPriority,
                               step::MemoryPolicy,
                               step::Console,
                               step::TimeOffsets>;

/// One thing that the child does. `name` is what an error says: "mount proc on /proc".
struct Step {
    std::string name;
    Operation operation;
};

/// An existing namespace to join. The applier opens the path, checks that it is a namespace of
/// this very type (ioctl NS_GET_NSTYPE) and fails otherwise.
struct JoinNamespace {
    int type = 0;  // CLONE_NEWNET ...
    std::string path;
};

/// What is written to /proc/PID/{uid_map,gid_map} of a new user namespace.
struct IdMaps {
    std::vector<spec::IdMapping> uids, gids;
    bool deny_setgroups = false;  // an unprivileged parent must
    // More than the caller may map itself: newuidmap(1), newgidmap(1) write it.
    bool uids_by_helper = false, gids_by_helper = false;
};

/// An interface of the host that the container gets, and its name there ("eth%d": a free number).
struct NetDevice {
    std::string host_name, name;
};

/// Who the program runs as.
struct Identity {
    uid_t uid = 0;
    gid_t gid = 0;
    std::vector<gid_t> groups;
    bool set_groups = true;  // false: keep (rootless, or run.oci.keep_original_groups)
    std::optional<mode_t> umask;
    std::uint64_t cap_bounding = 0, cap_effective = 0, cap_permitted = 0, cap_inheritable = 0,
                  cap_ambient = 0;
    bool no_new_privs = false;
    std::optional<sys::SeccompProgram> seccomp;
    std::string seccomp_listener_path, seccomp_listener_metadata;
    std::string apparmor_profile, selinux_label;  // empty: none asked for
};

/// What runs in the end.
struct Program {
    std::vector<std::string> args;  // args[0] is looked up in PATH of env where it has no '/'
    std::vector<std::string> env;
    std::string cwd;
    unsigned preserve_fds = 0;  // descriptors 3 .. 3+n-1 are kept
    unsigned listen_fds = 0;    // so many of them are announced as sd_listen_fds(3) looks for them
    std::string listen_names;
};

/// A running container that the program joins (exec): its jail is entered, none is made.
struct JoinContainer {
    pid_t pid = 0;            // its first process; LaunchIo::target is the same by descriptor
    int namespaces = 0;       // CLONE_NEW* of that process to enter, all at once
    std::string root;         // host path to chroot to: only where there is no mount namespace
    bool sub_cgroup = false;  // LaunchPlan::cgroup is one below the container's, asked for by name
    /// Affinities before and after the join of the cgroup, as bits; empty: as it comes.
    std::vector<std::uint64_t> initial_cpus, final_cpus;
    /// What needs the host's procfs or rights that the container's user namespace does not give;
    /// done before it is entered, inherited by the program.
    std::vector<Step> outside;
};

/// The cgroup is systemd's to make, as a scope around the first process.
struct SystemdUnit {
    rpc::ScopeUnit scope;
    std::string sub_cgroup;  // "/name" below the unit's cgroup, where the process goes; empty: none
};

struct LaunchPlan {
    std::string id;
    std::optional<JoinContainer> join;  // then `cgroup` is joined, not made, and nothing is new
    int new_namespaces = 0;  // CLONE_NEW* for clone3; cgroup and time are unshared by steps
    std::vector<JoinNamespace> joins;
    std::optional<IdMaps> id_maps;
    std::optional<sys::CgroupPlan> cgroup;
    std::optional<SystemdUnit> unit;           // then `cgroup` is where its cgroup is expected
    std::optional<sys::ResctrlGroup> resctrl;  // with `join` it is joined, not made
    std::vector<NetDevice> net_devices;
    std::vector<Step> steps;
    Identity identity;
    Program program;
    spec::Hooks hooks;
    bool mounts_on_host = false;  // no mount namespace: what is mounted below the root stays there
    std::vector<std::string> warnings;  // what could not be honoured but does not refuse the launch

    /// Is the child in another user namespace than its parent?
    bool own_user_namespace() const;
    /// Is that one which others are in already?
    bool joins_user_namespace() const;
};

/// The plan for people, one line a step; and as JSON.
std::string plan_text(const LaunchPlan& plan);
std::string plan_json(const LaunchPlan& plan);

}  // namespace knarr::runtime
