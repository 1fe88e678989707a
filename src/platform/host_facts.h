#pragma once
// What this host can do, probed once and passed in as a value: the difference between hosts lives
// here and in tests that make their own HostFacts, not in ifs spread about.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "knarr/result.h"
#include "platform/resctrl.h"

namespace knarr::sys {

enum class CgroupLayout : std::uint8_t { none, v1, hybrid, v2 };

struct CgroupHierarchy {
    std::vector<std::string> controllers;  // {"cpu", "cpuacct"}, {"name=systemd"}; v2: those of
                                           // cgroup.controllers at its root
    std::string mount_point;
    std::string own_path;  // this process's cgroup in it, below the mount point: "/a/b"
    bool v2 = false;
    // May we make cgroups in ours, in the one above it (v2)? Asked for callers who are not the
    // host's root.
    bool own_delegated = false, parent_delegated = false;
};

/// One line of /proc/self/uid_map: `size` IDs from `inside` on are `outside` and so on there.
struct IdRange {
    std::uint32_t inside = 0, outside = 0, size = 0;
};

struct HostFacts {
    std::string kernel_release;  // "6.18.44"
    int kernel_major = 0, kernel_minor = 0;
    std::string machine;  // uname -m
    CgroupLayout cgroup_layout = CgroupLayout::none;
    std::vector<CgroupHierarchy> cgroups;
    uid_t uid = 0;
    gid_t gid = 0;
    std::uint64_t effective_caps = 0, bounding_caps = 0;
    int last_cap = 40;
    bool initial_user_namespace = true;
    std::vector<IdRange> uid_map, gid_map;  // of our user namespace; empty in the initial one
    bool apparmor = false, selinux = false;
    std::optional<ResctrlFacts> resctrl;  // nothing: it is not mounted

    bool kernel_at_least(int major, int minor) const {
        return kernel_major > major || (kernel_major == major && kernel_minor >= minor);
    }
    const CgroupHierarchy* hierarchy_of(std::string_view controller) const;
};

/// The few facts that decide where we keep our files.
struct OwnUser {
    uid_t uid = 0;  // the effective one
    bool in_user_namespace = false;
    uid_t outer_uid = 0;  // who that is in the namespace above
};
OwnUser own_user();

/// The machine's own name, as this uts namespace has it. Source: uname(2).
std::string host_name();
/// How large the machine is: CPUs that are online, bytes of memory. Source: sysconf(3).
struct HostSize {
    std::uint64_t cpus = 0, memory_bytes = 0;
};
HostSize host_size();

/// The facts a launch needs; a few small reads of /proc, well under 100 us.
Result<HostFacts> probe_host();
/// The same from another root, for tests: `proc` and `sys` stand for /proc and /sys.
Result<HostFacts> probe_host_at(const std::string& proc, const std::string& sys);
/// The text of /proc/devices: which driver has which major number. Empty where there is none.
std::string probe_device_names();

}  // namespace knarr::sys
