#pragma once
// The whole of an OCI runtime configuration (config.json) as plain values.
// Source: runtime-spec v1.3.0 config.md, config-linux.md. Names follow the specification's.
//
// Numbers that the kernel reads as text keep the specification's signedness. Optional numbers are
// std::optional: absent and 0 differ ("limit": -1 means unlimited).

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "knarr/result.h"

namespace knarr::spec {

struct Rlimit {
    std::string type;  // "RLIMIT_NOFILE"
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
};

/// Capability names as written, "CAP_CHOWN". Unknown names are kept: the plan warns about them.
struct Capabilities {
    std::vector<std::string> bounding, effective, inheritable, permitted, ambient;
};

struct User {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::optional<std::uint32_t> umask;
    std::vector<std::uint32_t> additional_gids;
    std::string username;  // ignored on Linux
};

struct ConsoleSize {
    std::uint32_t height = 0;
    std::uint32_t width = 0;
};

struct Scheduler {
    std::string policy;  // "SCHED_OTHER"
    std::int32_t nice = 0;
    std::int32_t priority = 0;
    std::vector<std::string> flags;
    std::uint64_t runtime = 0, deadline = 0, period = 0;  // ns
};

struct IoPriority {
    std::string io_class;  // "IOPRIO_CLASS_BE"
    int priority = 0;
};

struct ExecCpuAffinity {
    std::string initial;      // "initial", a cpuset list
    std::string final_value;  // "final"
};

struct Process {
    bool terminal = false;
    std::optional<ConsoleSize> console_size;
    std::string cwd;
    std::vector<std::string> env;
    std::vector<std::string> args;
    std::vector<Rlimit> rlimits;
    std::string apparmor_profile;
    std::optional<Capabilities> capabilities;
    bool no_new_privileges = false;
    std::optional<int> oom_score_adj;
    std::optional<Scheduler> scheduler;
    std::string selinux_label;
    std::optional<IoPriority> io_priority;
    std::optional<ExecCpuAffinity> exec_cpu_affinity;
    User user;
};

struct Root {
    std::string path;
    bool readonly = false;
};

struct IdMapping {
    std::uint32_t container_id = 0;
    std::uint32_t host_id = 0;
    std::uint32_t size = 0;
};

struct Mount {
    std::string destination;
    std::string type;
    std::string source;
    std::vector<std::string> options;
    std::vector<IdMapping> uid_mappings, gid_mappings;
};

struct Hook {
    std::string path;
    std::vector<std::string> args;
    std::vector<std::string> env;
    std::optional<int> timeout;  // seconds, > 0
};

struct Hooks {
    std::vector<Hook> prestart, create_runtime, create_container, start_container, poststart,
        poststop;
};

enum class NamespaceType : std::uint8_t { pid, network, mount, ipc, uts, user, cgroup, time };
inline constexpr std::size_t kNamespaceTypes = 8;

struct Namespace {
    NamespaceType type = NamespaceType::pid;
    std::string path;  // empty: a new one
};

struct TimeOffset {
    std::int64_t secs = 0;
    std::uint32_t nanosecs = 0;
};

struct Device {
    std::string path;
    char type = 'c';  // c b u p
    std::int64_t major = 0, minor = 0;
    std::optional<std::uint32_t> file_mode;
    std::optional<std::uint32_t> uid, gid;
};

struct NetDevice {
    std::string name;  // in the container; empty: unchanged
};

struct DeviceRule {
    bool allow = false;
    char type = 'a';                           // a c b
    std::optional<std::int64_t> major, minor;  // absent or -1: all
    std::string access;                        // "rwm"; empty: all
};

struct MemoryLimits {
    std::optional<std::int64_t> limit, reservation, swap, kernel, kernel_tcp;  // bytes, -1: none
    std::optional<std::uint64_t> swappiness;
    std::optional<bool> disable_oom_killer, use_hierarchy, check_before_update;
};

struct CpuLimits {
    std::optional<std::uint64_t> shares;
    std::optional<std::int64_t> quota;  // us
    std::optional<std::uint64_t> burst, period;
    std::optional<std::int64_t> realtime_runtime;
    std::optional<std::uint64_t> realtime_period;
    std::string cpus, mems;
    std::optional<std::int64_t> idle;
};

struct WeightDevice {
    std::int64_t major = 0, minor = 0;
    std::optional<std::uint16_t> weight, leaf_weight;
};

struct ThrottleDevice {
    std::int64_t major = 0, minor = 0;
    std::uint64_t rate = 0;
};

struct BlockIoLimits {
    std::optional<std::uint16_t> weight, leaf_weight;
    std::vector<WeightDevice> weight_devices;
    std::vector<ThrottleDevice> read_bps, write_bps, read_iops, write_iops;
};

struct HugepageLimit {
    std::string page_size;  // "2MB"
    std::uint64_t limit = 0;
};

struct InterfacePriority {
    std::string name;
    std::uint32_t priority = 0;
};

struct NetworkLimits {
    std::optional<std::uint32_t> class_id;
    std::vector<InterfacePriority> priorities;
};

struct RdmaLimit {
    std::optional<std::uint32_t> hca_handles, hca_objects;
};

struct Resources {
    std::vector<DeviceRule> devices;
    std::optional<MemoryLimits> memory;
    std::optional<CpuLimits> cpu;
    std::optional<std::int64_t> pids_limit;
    std::optional<BlockIoLimits> block_io;
    std::vector<HugepageLimit> hugepage_limits;
    std::optional<NetworkLimits> network;
    std::map<std::string, RdmaLimit> rdma;
    std::map<std::string, std::string> unified;  // v2 file -> text
};

struct SeccompArg {
    std::uint32_t index = 0;  // 0..5
    std::uint64_t value = 0;
    std::uint64_t value_two = 0;
    std::string op;  // "SCMP_CMP_EQ"
};

struct SeccompRule {
    std::vector<std::string> names;
    std::string action;
    std::optional<std::uint32_t> errno_ret;
    std::vector<SeccompArg> args;
};

struct Seccomp {
    std::string default_action;
    std::optional<std::uint32_t> default_errno_ret;
    std::vector<std::string> architectures;  // "SCMP_ARCH_X86_64"
    std::vector<std::string> flags;
    std::string listener_path, listener_metadata;
    std::vector<SeccompRule> syscalls;
};

struct IntelRdt {
    std::string clos_id, l3_cache_schema, mem_bw_schema;
    std::vector<std::string> schemata;
    bool enable_cmt = false, enable_mbm = false, enable_monitoring = false;
};

struct MemoryPolicy {
    std::string mode;
    std::string nodes;
    std::vector<std::string> flags;
};

struct Personality {
    std::string domain;  // "LINUX" or "LINUX32"
    std::vector<std::string> flags;
};

struct Linux {
    std::vector<IdMapping> uid_mappings, gid_mappings;
    std::map<std::string, std::string> sysctl;
    std::optional<Resources> resources;
    std::string cgroups_path;
    std::vector<Namespace> namespaces;
    std::vector<Device> devices;
    std::map<std::string, NetDevice> net_devices;  // host name -> device
    std::optional<Seccomp> seccomp;
    std::string rootfs_propagation;
    std::vector<std::string> masked_paths, readonly_paths;
    std::string mount_label;
    std::optional<IntelRdt> intel_rdt;
    std::optional<MemoryPolicy> memory_policy;
    std::optional<Personality> personality;
    std::map<std::string, TimeOffset> time_offsets;  // "monotonic", "boottime"
};

struct RuntimeConfig {
    std::string oci_version;
    std::optional<Process> process;
    std::optional<Root> root;
    std::string hostname, domainname;
    std::vector<Mount> mounts;
    Hooks hooks;
    std::map<std::string, std::string> annotations;
    std::optional<Linux> linux_;  // the macro "linux" is 1 in GNU mode
};

/// Decodes config.json. Unknown properties are ignored; a wrong type, a value out of range, an
/// unknown enum value, a missing required property or a duplicate namespace is refused.
/// Errors: invalid_config with the JSON path: "config.json: process.user.uid: -1 is not ...".
Result<RuntimeConfig> decode_runtime_config(std::string_view json);

/// Decodes the object `process` alone, as `exec --process FILE` has it; `name` is what errors call
/// it. Errors: invalid_config.
Result<Process> decode_process(std::string_view json, std::string_view name);

/// Encodes the configuration so that decode_runtime_config gives the same value back.
std::string encode_runtime_config(const RuntimeConfig& config);

}  // namespace knarr::spec
