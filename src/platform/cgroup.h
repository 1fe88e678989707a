#pragma once
// cgroups as directories and file texts: v1, hybrid and v2 alike. What to write is decided by
// runtime/native (pure); this file only carries it out.
// Source: kernel cgroup-v1/, cgroup-v2.rst.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

/// One file of a cgroup and the text written into it with one write(2).
struct CgroupWrite {
    std::string file;
    std::string text;
    /// The write may fail (file absent, EBUSY, EINVAL) without failing the launch: values that the
    /// runtime adds on its own. Values that the user asked for are never optional.
    bool optional = false;
    /// What asked for it, for errors: "linux.resources.memory.limit".
    std::string property = {};
    /// Written instead where `file` is not there: io.bfq.weight or io.weight, by I/O scheduler.
    std::string other_file = {}, other_text = {};
};

/// One directory in one hierarchy.
struct CgroupDir {
    std::string controllers;  // "memory", "cpu,cpuacct", "name=systemd"; empty: a v2 directory,
                              // in the hybrid layout the one without controllers
    std::string mount_point;  // "/sys/fs/cgroup/memory"
    std::string path;         // below the mount point: "/knarr/web"
    std::vector<CgroupWrite> writes;
};

/// One rule for device access: v1 devices.allow/deny texts are writes; v2 needs a BPF program.
struct CgroupDeviceRule {
    bool allow = false;
    char type = 'a';
    std::int64_t major = -1, minor = -1;  // -1: all
    std::string access = "rwm";
};

/// Everything that a container's cgroup is: made before the join, removed after the last exit.
struct CgroupPlan {
    std::vector<CgroupDir> dirs;  // one on v2, one for each hierarchy on v1
    bool v2 = false;
    std::vector<std::string> enable;             // v2: controllers to enable in the ancestors; one
                                                 // that cannot be is an error of the first write
                                                 // that needs it
    std::vector<CgroupDeviceRule> device_rules;  // v2 only, in order, last match wins, default deny
    bool named_by_id = false;  // nobody named it: one with others below is not ours
};

/// Who is in a cgroup before it gets its limits: nobody, or a process that somebody else (systemd)
/// has put there for us.
enum class CgroupUse : std::uint8_t { empty, placed };
/// Makes every directory (parents too, which stay), copies v1 cpusets down where they are empty,
/// writes every text. On failure the directories made here are removed again.
/// Errors: unsupported names the missing controller or file and the property that asked;
/// already_exists when a directory of the plan holds processes, or holds cgroups and is
/// `named_by_id` ("system.slice" is an ID too); wrong_state: it is frozen; denied: not delegated.
Result<> make_cgroup(const CgroupPlan& plan, CgroupUse use = CgroupUse::empty);
/// Moves a process (as this pid namespace sees it) into every directory. The kernel takes a lock
/// that may wait for an RCU grace period, 10 ms and more after an idle spell: a launch goes in by
/// the two ways below.
Result<> join_cgroup(const CgroupPlan& plan, pid_t pid);

/// A plan by the way in that costs no waiting.
struct CgroupWays {
    CgroupPlan born;     // the v2 directory: clone3 with CLONE_INTO_CGROUP
    CgroupPlan entered;  // v1 hierarchies: a process moves itself, enter_cgroup
};
CgroupWays split_ways(const CgroupPlan& plan);
/// An O_PATH descriptor of the one directory of CgroupWays::born, for CLONE_INTO_CGROUP.
Result<Fd> open_for_clone(const CgroupPlan& born);
/// The `tasks` files of v1 directories, open for writing.
Result<std::vector<Fd>> open_entries(const CgroupPlan& entered);
/// Moves the calling thread, the only one of its process, into the directory of a `tasks` file. A
/// thread that moves itself needs no lock over all processes (since Linux 5.14), unlike any write
/// to cgroup.procs. The rights are those of who opened the file.
/// Source: kernel/cgroup/cgroup.c cgroup_procs_write_start().
Result<> enter_cgroup(const Fd& tasks);
/// Every process in the cgroup and below it.
Result<std::vector<pid_t>> cgroup_pids(const CgroupPlan& plan);
/// SIGKILLs everything inside and waits (bounded) until it is gone. Thaws first where frozen.
Result<> kill_cgroup(const CgroupPlan& plan);
/// Removes the directories, deepest first, retrying EBUSY for a bounded time; who is frozen in
/// there is let go. Absence is success.
Result<> remove_cgroup(const CgroupPlan& plan);

}  // namespace knarr::sys
