#pragma once
// The resctrl file system: classes of service that share out the last cache and the memory
// bandwidth (Intel RDT, AMD QoS). Source: kernel Documentation/filesystems/resctrl.rst.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

/// What is mounted on this host.
struct ResctrlFacts {
    std::string mount_point;
    std::vector<std::string> classes;  // the directories that are there
    bool monitors = false;             // the CPU counts cache use or bandwidth
};

/// The facts, of /proc/self/mountinfo's text; nothing when no resctrl is mounted.
std::optional<ResctrlFacts> find_resctrl(std::string_view mountinfo);

/// The class of service of one container.
struct ResctrlGroup {
    std::string mount_point;
    std::string name;    // the class's directory there; empty: the default class, which is the root
    bool make = false;   // it is not there yet
    bool owned = false;  // it ends with the container
    std::string monitor;  // the name of a monitoring group below it; empty: none
    /// Lines that an existing class must have already: its maker's are not changed.
    std::vector<std::string> expected;
    std::vector<std::string> schemata;  // lines to write, in order

    std::string path() const { return name.empty() ? mount_point : mount_point + "/" + name; }
};

/// The mounted file system, the `root` of the functions below.
Result<Fd> open_resctrl(const ResctrlGroup& group);

/// Makes the class, writes its schemata, makes the monitoring group. What was made before a failure
/// is removed again.
/// Errors: invalid_config when an existing class has other schemata, or the CPU refuses a line;
/// no_space when the CPU has no class or monitor left.
Result<> make_resctrl(const Fd& root, const ResctrlGroup& group);
/// Puts a process with a single thread, and with it what it will start, into the class and the
/// monitoring group.
Result<> join_resctrl(const Fd& root, const ResctrlGroup& group, pid_t pid);
/// Undoes make_resctrl.
Result<> unmake_resctrl(const Fd& root, const ResctrlGroup& group);
/// With the container's end: removes its monitoring group, and its class where that is its own.
/// What is gone already is no error.
Result<> remove_resctrl(const Fd& root, const ResctrlGroup& group);

}  // namespace knarr::sys
