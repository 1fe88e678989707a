#pragma once
// What the kernel has counted for a cgroup and for a network namespace, as values.
// Source: kernel cgroup-v1/{cpuacct,memory,pids,blkio-controller,hugetlb}.rst, cgroup-v2.rst.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "knarr/result.h"
#include "knarr/stats.h"

namespace knarr::sys {

/// The text of a cgroup's file by controller; nothing where it is not there (CgroupFiles::read).
using ReadStatistics =
    std::function<std::optional<std::string>(std::string_view controller, const std::string& file)>;

/// All that the cgroup counts, but network interfaces. A controller that is not there leaves its
/// part empty. `page_sizes` are those that huge pages may have: "2MB".
Statistics cgroup_statistics(const ReadStatistics& read,
                             bool v2,
                             const std::vector<std::string>& page_sizes);
/// The page sizes of this host's huge pages, as cgroup files spell them. Source:
/// /sys/kernel/mm/hugepages.
std::vector<std::string> hugepage_sizes();

/// The interfaces in /proc/PID/net/dev. Pure.
std::vector<InterfaceStatistics> parse_interfaces(std::string_view net_dev);
/// Those of a process's network namespace; nothing when it is ours, or the process has ended.
std::optional<std::vector<InterfaceStatistics>> interfaces_of(int pid);

}  // namespace knarr::sys
