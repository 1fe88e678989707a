#pragma once
// Properties of the calling process and its namespaces: thin calls, one property each.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "platform/fd.h"

namespace knarr::sys {

Result<> set_hostname(const std::string& name);
Result<> set_domainname(const std::string& name);
/// Sets IFF_UP on "lo" of this network namespace.
Result<> loopback_up();
/// A new session keyring; quietly none where the kernel has no keys (ENOSYS).
Result<> join_session_keyring(const std::string& name);
Result<> set_rlimit(int resource, std::uint64_t soft, std::uint64_t hard);
Result<> set_personality(unsigned long persona);

struct SchedulerAttributes {
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
};
/// sched_setattr(2) on this process.
Result<> set_scheduler(const SchedulerAttributes& attributes);
/// ioprio_set(2) on this process: class << 13 | level.
Result<> set_io_priority(int value);
/// set_mempolicy(2).
Result<> set_memory_policy(int mode, const std::vector<std::uint64_t>& node_mask);

/// sched_setaffinity(2): bit N for CPU N; `pid` 0 is this process.
Result<> set_affinity(pid_t pid, const std::vector<std::uint64_t>& cpus);

Result<> set_groups(std::span<const gid_t> groups);
Result<> set_group(gid_t gid);
Result<> set_user(uid_t uid);
/// Returns the mask before.
mode_t set_umask(mode_t mask);
Result<> set_no_new_privs();
/// Whether the end of the parent's thread that made this process is a SIGKILL for it. A change of
/// credentials switches that off.
Result<> set_die_with_parent(bool dies);

Result<> change_dir(const std::string& path);
/// The working directory as the kernel names it. Errors: denied when it lies outside the root
/// ("(unreachable)..."), which a leaked descriptor could make it (CVE-2024-21626).
Result<std::string> current_dir();
/// `path` as it is from the root directory.
Result<std::string> absolute(const std::string& path);
bool can_execute(const std::string& path);

}  // namespace knarr::sys
