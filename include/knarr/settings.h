#pragma once
// What a caller may ask of an image's container besides what runs in it: docker's flags as values.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace knarr {

/// An empty file system in memory.
struct TmpfsRequest {
    std::string target = {};  ///< absolute, in the container
    std::vector<std::string> options =
        {};                 ///< of mount(8): "size=64m", "mode=1777", "ro", "exec", ...
    bool by_mount = false;  ///< inspect shows it as docker's --mount, else as --tmpfs
};

/// A device of the host, or all devices of a directory.
struct DeviceRequest {
    std::string source = {};     ///< path on the host
    std::string target = {};     ///< path in the container
    std::string access = "rwm";  ///< of r, w, m
};

struct UlimitRequest {
    std::string name = {};  ///< "nofile"
    std::uint64_t soft = 0, hard = 0;
    static constexpr std::uint64_t kNone = UINT64_MAX;
};

/// What one block device of the host is limited to, or its weight.
struct DeviceRate {
    std::string device = {};  ///< path on the host
    std::uint64_t rate = 0;   ///< bytes or operations a second; a weight is 10 to 1000
};

/// Devices that may be opened, by number.
struct DeviceNumbers {
    char type = 'a';                                     ///< a, b or c
    std::optional<std::int64_t> major = {}, minor = {};  ///< nothing: all
    std::string access = "rwm";                          ///< of r, w, m
};

/// Limits and cgroup, besides RunRequest's memory, CPUs and processes. Nothing: none.
struct ResourceSettings {
    std::optional<std::int64_t> memory_reservation = {}, memory_swap = {};  ///< bytes; -1: no limit
    std::optional<std::uint64_t> memory_swappiness = {};                    ///< 0 to 100
    bool waits_for_memory = false;                 ///< it waits instead of being killed (cgroup v1)
    std::optional<std::uint64_t> cpu_shares = {};  ///< a weight: 2 to 262144, 1024 is usual
    std::optional<std::uint64_t> cpu_period_us = {};
    std::optional<std::uint64_t> realtime_period_us = {};  ///< cgroup v1, as the next
    std::optional<std::int64_t> realtime_runtime_us = {};
    std::string cpuset_cpus = {}, cpuset_mems = {};     ///< lists of numbers, "0-3,5"; empty: all
    std::optional<std::uint64_t> block_io_weight = {};  ///< 10 to 1000
    std::vector<DeviceRate> device_weights = {}, read_bps = {}, write_bps = {}, read_iops = {},
                            write_iops = {};
    std::optional<int> oom_score_adj = {};            ///< -1000 to 1000
    std::map<std::string, std::string> unified = {};  ///< files of cgroup v2, "memory.high"
    /// The cgroup that the container's is made in, from the root of the hierarchy, or a slice of
    /// systemd's; empty: the usual place.
    std::string cgroup_parent = {};
};

/// Who may do what. The default is the safe one.
struct SecuritySettings {
    /// All capabilities, all devices of the host, no seccomp filter, nothing hidden or read-only in
    /// /proc and /sys: root in it is root of the host.
    bool privileged = false;
    std::vector<std::string> add_capabilities = {}, drop_capabilities = {};  ///< "NET_ADMIN", "ALL"
    std::optional<bool> no_new_privileges = {};                              ///< nothing: true
    bool any_system_call = false;                                            ///< no seccomp filter
    /// A seccomp profile in Docker's form, as JSON of at most 512 KiB, in place of knarr's own;
    /// empty: that one. Counts even where `any_system_call` or `privileged` is set.
    std::string seccomp_profile = {};
    std::string seccomp_profile_name = {};  ///< what errors call it
    bool open_system_paths = false;         ///< nothing of /proc and /sys is hidden or read-only
    std::string apparmor_profile = {}, selinux_label = {};
};

struct NameSettings {
    std::vector<std::string> hosts = {};  ///< "NAME:ADDRESS", lines of /etc/hosts
    std::vector<std::string> servers = {}, search = {}, options = {};  ///< of /etc/resolv.conf
    std::string domain = {};
};

struct ContainerSettings {
    SecuritySettings security = {};
    ResourceSettings resources = {};
    NameSettings names = {};
    std::vector<std::string> exposed =
        {};  ///< "80/tcp"; besides the image's, shown and filtered by
    std::vector<TmpfsRequest> tmpfs = {};
    std::optional<std::int64_t> shm_bytes = {};  ///< of /dev/shm; nothing: 64 MiB
    std::vector<DeviceRequest> devices = {};
    std::vector<DeviceNumbers> device_rules = {};  ///< besides `devices`
    std::vector<UlimitRequest> ulimits = {};
    std::optional<std::uint32_t> umask = {};  ///< of the program; nothing: 0022
    std::string personality = {};             ///< "LINUX32"; empty: the host's
    std::vector<std::string> unset_env = {};  ///< variables of the image that it does not get
    bool unset_all_env = false;               ///< none of the image's variables
    bool image_hosts = false;                 ///< /etc/hosts is the image's own
    std::map<std::string, std::string> sysctls = {};
    std::map<std::string, std::string> labels = {}, annotations = {};
    std::vector<std::string> groups = {};  ///< further groups of the program, names or numbers
    bool host_pid = false, host_ipc = false, host_uts = false, host_cgroup = false;
    /// A small program of ours is pid 1: it hands signals on and reaps what the others leave.
    bool init = false;
    bool keeps_stdin = false;  ///< in the background: stdin stays open for who attaches
};

}  // namespace knarr
