#include "platform/task.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace knarr::sys {

// The raw calls: glibc's wrappers of the set*id family signal every thread, and there is only one.
Result<> set_groups(std::span<const gid_t> groups) {
    if (syscall(SYS_setgroups, groups.size(), groups.data()) != 0) {
        return fail_errno(errno, "setgroups");
    }
    return {};
}

Result<> set_group(gid_t gid) {
    if (syscall(SYS_setresgid, gid, gid, gid) != 0) {
        const int error = errno;
        return fail(make_errno(error, fmt::format("setresgid {}", gid))
                        .advise(error == EINVAL ? "map this group in linux.gidMappings" : ""));
    }
    return {};
}

Result<> set_user(uid_t uid) {
    if (syscall(SYS_setresuid, uid, uid, uid) != 0) {
        const int error = errno;
        return fail(make_errno(error, fmt::format("setresuid {}", uid))
                        .advise(error == EINVAL ? "map this user in linux.uidMappings" : ""));
    }
    return {};
}

Result<> set_hostname(const std::string& name) {
    if (sethostname(name.c_str(), name.size()) != 0) {
        return fail_errno(errno, "sethostname");
    }
    return {};
}

Result<> set_domainname(const std::string& name) {
    if (setdomainname(name.c_str(), name.size()) != 0) {
        return fail_errno(errno, "setdomainname");
    }
    return {};
}

Result<> loopback_up() {
    const Fd socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket_fd.valid()) {
        return fail_errno(errno, "socket");
    }
    ifreq request{};
    std::memcpy(request.ifr_name, "lo", 3);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    if (ioctl(socket_fd.get(), SIOCSIFFLAGS, &request) != 0) {
        return fail_errno(errno, "bring lo up");
    }
    return {};
}

Result<> join_session_keyring(const std::string& name) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.c_str()) < 0 && errno != ENOSYS) {
        const int error = errno;
        return fail(make_errno(error, "join session keyring")
                        .advise("raise /proc/sys/kernel/keys/maxkeys, or use --no-new-keyring"));
    }
    return {};
}

namespace {
/// By the kernel's numbers, which are the same on the machines that we build for.
constexpr std::array<std::string_view, RLIM_NLIMITS> kRlimitNames{"CPU",
                                                                  "FSIZE",
                                                                  "DATA",
                                                                  "STACK",
                                                                  "CORE",
                                                                  "RSS",
                                                                  "NPROC",
                                                                  "NOFILE",
                                                                  "MEMLOCK",
                                                                  "AS",
                                                                  "LOCKS",
                                                                  "SIGPENDING",
                                                                  "MSGQUEUE",
                                                                  "NICE",
                                                                  "RTPRIO",
                                                                  "RTTIME"};

Error explain_rlimit(int error, int resource, std::uint64_t soft, std::uint64_t hard) {
    const auto number = static_cast<std::size_t>(resource);
    Error refused =
        make_errno(error,
                   fmt::format("set RLIMIT_{} to soft {}, hard {}",
                               number < kRlimitNames.size() ? kRlimitNames[number] : "?",
                               soft,
                               hard));
    rlimit64 own{};
    if (error != EPERM || syscall(SYS_prlimit64, 0, resource, nullptr, &own) != 0) {
        return refused;
    }
    refused.message += fmt::format(": the caller's own hard limit is {}", own.rlim_max);
    return std::move(refused).advise(
        "only CAP_SYS_RESOURCE raises a hard limit: ask for no more in process.rlimits "
        "(default_ulimits of podman, default-ulimits of dockerd), or raise the caller's (ulimit "
        "-H)");
}
}  // namespace

Result<> set_rlimit(int resource, std::uint64_t soft, std::uint64_t hard) {
    const rlimit64 limit{.rlim_cur = soft, .rlim_max = hard};
    if (syscall(SYS_prlimit64, 0, resource, &limit, nullptr) != 0) {
        return fail(explain_rlimit(errno, resource, soft, hard));
    }
    return {};
}

Result<> set_die_with_parent(bool dies) {
    if (prctl(PR_SET_PDEATHSIG, dies ? SIGKILL : 0, 0, 0, 0) != 0) {
        return fail_errno(errno, "prctl PR_SET_PDEATHSIG");
    }
    return {};
}

Result<> set_personality(unsigned long persona) {
    if (personality(persona) < 0) {
        return fail_errno(errno, "personality");
    }
    return {};
}

namespace {
/// struct sched_attr of linux/sched/types.h, which cannot be included beside glibc's sched.h.
struct SchedAttr {
    std::uint32_t size = sizeof(SchedAttr);
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0, deadline = 0, period = 0;
    std::uint32_t util_min = 0, util_max = 0;
};
}  // namespace

Result<> set_scheduler(const SchedulerAttributes& attributes) {
    const SchedAttr attr{.policy = attributes.policy,
                         .flags = attributes.flags,
                         .nice = attributes.nice,
                         .priority = attributes.priority,
                         .runtime = attributes.runtime,
                         .deadline = attributes.deadline,
                         .period = attributes.period};
    if (syscall(SYS_sched_setattr, 0, &attr, 0) != 0) {
        return fail_errno(errno, "sched_setattr");
    }
    return {};
}

Result<> set_io_priority(int value) {
    constexpr int kWhoProcess = 1;
    if (syscall(SYS_ioprio_set, kWhoProcess, 0, value) != 0) {
        return fail_errno(errno, "ioprio_set");
    }
    return {};
}

Result<> set_memory_policy(int mode, const std::vector<std::uint64_t>& node_mask) {
    // The kernel counts bits and ignores the last one: maxnode is one more than the mask has.
    const unsigned long bits = node_mask.empty() ? 0 : node_mask.size() * 64 + 1;
    if (syscall(SYS_set_mempolicy, mode, node_mask.empty() ? nullptr : node_mask.data(), bits) !=
        0) {
        return fail_errno(errno, "set_mempolicy");
    }
    return {};
}

Result<> set_affinity(pid_t pid, const std::vector<std::uint64_t>& cpus) {
    if (syscall(SYS_sched_setaffinity, pid, cpus.size() * sizeof(std::uint64_t), cpus.data()) < 0) {
        const int error = errno;
        return fail(make_errno(error, "sched_setaffinity")
                        .advise(error == EINVAL ? "none of these CPUs is there, or the cgroup "
                                                  "allows none of them"
                                                : ""));
    }
    return {};
}

mode_t set_umask(mode_t mask) {
    return umask(mask);
}

Result<> set_no_new_privs() {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return fail_errno(errno, "prctl PR_SET_NO_NEW_PRIVS");
    }
    return {};
}

Result<> change_dir(const std::string& path) {
    if (chdir(path.c_str()) != 0) {
        return fail_errno(errno, "chdir {}", path);
    }
    return {};
}

Result<std::string> current_dir() {
    std::array<char, 4097> path{};
    const long length = syscall(SYS_getcwd, path.data(), path.size());
    if (length < 0) {
        return fail_errno(errno, "getcwd");
    }
    if (path[0] != '/') {
        return fail(Errc::denied, "the working directory lies outside the container's root");
    }
    return std::string(path.data());
}

bool can_execute(const std::string& path) {
    struct stat entry{};
    return stat(path.c_str(), &entry) == 0 && S_ISREG(entry.st_mode) &&
           faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

Result<std::string> absolute(const std::string& path) {
    return path.starts_with('/') ? path : KNARR_TRY(current_dir()) + "/" + path;
}

}  // namespace knarr::sys
