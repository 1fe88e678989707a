#pragma once
// The fields of config.json's linux object but its resources. Private to this room.
// Source: runtime-spec v1.3.0 config-linux.md; schema/defs-linux.json.

#include <algorithm>

#include "spec/runtime_process_fields.h"
#include "spec/runtime_resource_fields.h"

namespace knarr::spec {

/// In the order of NamespaceType.
inline constexpr std::array<std::string_view, kNamespaceTypes> kNamespaceNames{
    "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"};

/// The specification has four of them, runc all eight; engines write "rslave".
inline constexpr std::array<std::string_view, 8> kPropagations{
    "private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"};

inline constexpr std::array<std::string_view, 9> kSeccompActions{"SCMP_ACT_ALLOW",
                                                                 "SCMP_ACT_ERRNO",
                                                                 "SCMP_ACT_KILL",
                                                                 "SCMP_ACT_KILL_PROCESS",
                                                                 "SCMP_ACT_KILL_THREAD",
                                                                 "SCMP_ACT_TRAP",
                                                                 "SCMP_ACT_TRACE",
                                                                 "SCMP_ACT_LOG",
                                                                 "SCMP_ACT_NOTIFY"};

inline constexpr std::array<std::string_view, 7> kSeccompOperators{"SCMP_CMP_EQ",
                                                                   "SCMP_CMP_NE",
                                                                   "SCMP_CMP_LT",
                                                                   "SCMP_CMP_LE",
                                                                   "SCMP_CMP_GE",
                                                                   "SCMP_CMP_GT",
                                                                   "SCMP_CMP_MASKED_EQ"};

inline constexpr std::array<std::string_view, 23> kSeccompArchitectures{
    "SCMP_ARCH_X86",     "SCMP_ARCH_X86_64",   "SCMP_ARCH_X32",         "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS",     "SCMP_ARCH_MIPS64",      "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",  "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",   "SCMP_ARCH_PPC64LE",  "SCMP_ARCH_S390",        "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",  "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",     "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",    "SCMP_ARCH_SH",       "SCMP_ARCH_SHEB"};

inline constexpr std::array<std::string_view, 4> kSeccompFlags{
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};

inline constexpr std::array<std::string_view, 7> kMemoryModes{"MPOL_DEFAULT",
                                                              "MPOL_BIND",
                                                              "MPOL_INTERLEAVE",
                                                              "MPOL_WEIGHTED_INTERLEAVE",
                                                              "MPOL_PREFERRED",
                                                              "MPOL_PREFERRED_MANY",
                                                              "MPOL_LOCAL"};

inline constexpr std::array<std::string_view, 3> kMemoryFlags{
    "MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"};

inline constexpr std::array<std::string_view, 2> kPersonalities{"LINUX", "LINUX32"};

template <typename F>
void fields(F& f, Of<F, Namespace>& m) {
    f.required_of("type", m.type, kNamespaceNames);
    f.optional("path", m.path);
    f.check(
        m.path.empty() || is_absolute(m.path), "path", "\"{}\" is not an absolute path", m.path);
}

template <typename F>
void fields(F& f, Of<F, TimeOffset>& m) {
    f.optional("secs", m.secs);
    f.optional("nanosecs", m.nanosecs);
    f.check(m.nanosecs < 1'000'000'000, "nanosecs", "{} is a second or more", m.nanosecs);
}

/// major and minor must fit the kernel's device numbers (12 and 20 bits): mknod wraps silently.
template <typename F>
void fields(F& f, Of<F, Device>& m) {
    constexpr std::int64_t kMaxMajor = 0xfff, kMaxMinor = 0xfffff;
    f.required("path", m.path);
    f.check(is_absolute(m.path), "path", "\"{}\" is not an absolute path", m.path);
    f.required_letter("type", m.type, "cbup");
    if (m.type == 'p') {
        f.optional("major", m.major);  // a pipe has no device number
        f.optional("minor", m.minor);
    } else {
        f.required("major", m.major);
        f.required("minor", m.minor);
    }
    f.check(m.major >= 0 && m.major <= kMaxMajor,
            "major",
            "{} is not between 0 and {}",
            m.major,
            kMaxMajor);
    f.check(m.minor >= 0 && m.minor <= kMaxMinor,
            "minor",
            "{} is not between 0 and {}",
            m.minor,
            kMaxMinor);
    f.optional("fileMode", m.file_mode);
    f.optional("uid", m.uid);
    f.optional("gid", m.gid);
}

template <typename F>
void fields(F& f, Of<F, NetDevice>& m) {
    f.optional("name", m.name);
    f.check(m.name.empty() || is_interface_name(m.name),
            "name",
            "\"{}\" is not a network interface's name",
            m.name);
}

template <typename F>
void fields(F& f, Of<F, SeccompArg>& m) {
    f.required("index", m.index);
    f.check(m.index <= 5, "index", "{} is not between 0 and 5", m.index);
    f.required("value", m.value);
    f.optional("valueTwo", m.value_two);
    f.required_of("op", m.op, kSeccompOperators);
}

/// Source: config-linux.md "seccomp", errnoRet: an action that has no number must be refused one.
/// 4095 is the kernel's largest errno; a tracer gets 16 bits.
template <typename F>
void check_errno(F& f,
                 std::string_view name,
                 const std::string& action,
                 std::optional<std::uint32_t> number) {
    if (F::kReading && number) {
        const bool is_errno = action == "SCMP_ACT_ERRNO";
        f.check(is_errno || action == "SCMP_ACT_TRACE", name, "is not possible with {}", action);
        const std::uint32_t max = is_errno ? 4095 : 65535;
        f.check(*number <= max, name, "{} is not between 0 and {}", *number, max);
    }
}

template <typename F>
void fields(F& f, Of<F, SeccompRule>& m) {
    f.required("names", m.names);
    f.check(!m.names.empty(), "names", "is empty");
    f.required_of("action", m.action, kSeccompActions);
    f.optional("errnoRet", m.errno_ret);
    check_errno(f, "errnoRet", m.action, m.errno_ret);
    f.optional("args", m.args);
}

/// Who asks an agent of the host names it, and nothing asks for the launch's own calls.
template <typename F, typename Rules, typename ActionOf>
void check_listener(F& f, const Seccomp& filter, const Rules& rules, ActionOf action_of) {
    f.check(filter.default_action != "SCMP_ACT_NOTIFY",
            "defaultAction",
            "SCMP_ACT_NOTIFY would stop the process that installs the filter");
    f.check(!filter.listener_path.empty() || filter.listener_metadata.empty(),
            "listenerMetadata",
            "needs listenerPath");
    if constexpr (F::kReading) {
        const auto notifies = [&](const auto& rule) {
            return action_of(rule) == "SCMP_ACT_NOTIFY";
        };
        f.check(!filter.listener_path.empty() || std::ranges::none_of(rules, notifies),
                "listenerPath",
                "is missing, but a rule has SCMP_ACT_NOTIFY");
    }
}

template <typename F>
void fields(F& f, Of<F, Seccomp>& m) {
    f.optional_of("defaultAction", m.default_action, kSeccompActions);
    f.optional("defaultErrnoRet", m.default_errno_ret);
    check_errno(f, "defaultErrnoRet", m.default_action, m.default_errno_ret);
    f.each_of("architectures", m.architectures, kSeccompArchitectures);
    f.each_of("flags", m.flags, kSeccompFlags);
    f.optional("listenerPath", m.listener_path);
    f.optional("listenerMetadata", m.listener_metadata);
    f.optional("syscalls", m.syscalls);
    // An object with neither is no filter: runc takes it so.
    f.check(!m.default_action.empty() || m.syscalls.empty(), "defaultAction", "is missing");
    check_listener(
        f, m, m.syscalls, [](const SeccompRule& rule) -> std::string_view { return rule.action; });
}

template <typename F>
void fields(F& f, Of<F, IntelRdt>& m) {
    f.optional("closID", m.clos_id);
    // It becomes a directory of resctrl; "/" is the default class.
    f.check(m.clos_id == "/" ||
                (m.clos_id != "." && m.clos_id != ".." && m.clos_id.find('/') == std::string::npos),
            "closID",
            "\"{}\" is not the name of a class",
            m.clos_id);
    f.optional("schemata", m.schemata);
    f.optional("l3CacheSchema", m.l3_cache_schema);
    f.optional("memBwSchema", m.mem_bw_schema);
    f.check(m.mem_bw_schema.empty() || m.mem_bw_schema.starts_with("MB:"),
            "memBwSchema",
            "\"{}\" does not start with MB:",
            printable(m.mem_bw_schema, 60));
    f.check(m.mem_bw_schema.find('\n') == std::string::npos, "memBwSchema", "has a line break");
    for (const std::string& line : m.schemata) {
        f.check(line.find('\n') == std::string::npos, "schemata", "has a line break");
    }
    f.optional("enableCMT", m.enable_cmt);
    f.optional("enableMBM", m.enable_mbm);
    f.optional("enableMonitoring", m.enable_monitoring);
}

template <typename F>
void fields(F& f, Of<F, MemoryPolicy>& m) {
    f.required_of("mode", m.mode, kMemoryModes);
    f.optional("nodes", m.nodes);
    f.check(m.nodes.empty() || is_number_list(m.nodes),
            "nodes",
            "\"{}\" is not a list of nodes such as 0-3,7",
            m.nodes);
    f.each_of("flags", m.flags, kMemoryFlags);
}

template <typename F>
void fields(F& f, Of<F, Personality>& m) {
    f.required_of("domain", m.domain, kPersonalities);
    f.optional("flags", m.flags);
}

/// What the members of linux demand of each other.
template <typename F>
void check_linux(F& f, const Linux& m) {
    const auto find = [&](NamespaceType type) {
        return std::ranges::find(m.namespaces, type, &Namespace::type);
    };
    const auto has = [&](NamespaceType type) { return find(type) != m.namespaces.end(); };
    for (std::size_t i = 0; i < m.namespaces.size(); ++i) {
        const NamespaceType type = m.namespaces[i].type;
        f.check_element(find(type) == m.namespaces.begin() + static_cast<std::ptrdiff_t>(i),
                        "namespaces",
                        i,
                        "\"{}\" is given twice",
                        kNamespaceNames[static_cast<std::size_t>(type)]);
    }
    constexpr fmt::string_view kNeeds = "needs a {} namespace";
    const bool user = has(NamespaceType::user);
    f.check(user || m.uid_mappings.empty(), "uidMappings", kNeeds, "user");
    f.check(user || m.gid_mappings.empty(), "gidMappings", kNeeds, "user");
    f.check(!user || !find(NamespaceType::user)->path.empty() || !m.uid_mappings.empty() ||
                !m.gid_mappings.empty(),
            "uidMappings",
            "and gidMappings are missing, but a new user namespace is asked for");
    const bool time = has(NamespaceType::time);
    f.check(time || m.time_offsets.empty(), "timeOffsets", kNeeds, "time");
    f.check(!time || find(NamespaceType::time)->path.empty() || m.time_offsets.empty(),
            "timeOffsets",
            "is only possible for a new time namespace, not for one that is joined");
    const bool mount = has(NamespaceType::mount);
    f.check(mount || m.masked_paths.empty(), "maskedPaths", kNeeds, "mount");
    f.check(mount || m.readonly_paths.empty(), "readonlyPaths", kNeeds, "mount");
    f.check(has(NamespaceType::network) || m.net_devices.empty(), "netDevices", kNeeds, "network");
    for (const auto& [clock, offset] : m.time_offsets) {
        f.check(clock == "monotonic" || clock == "boottime",
                "timeOffsets",
                "\"{}\" is none of monotonic, boottime",
                printable(clock, 60));
    }
    for (const auto& [name, device] : m.net_devices) {
        f.check(is_interface_name(name),
                "netDevices",
                "\"{}\" is not a network interface's name",
                printable(name, 60));
    }
    for (std::size_t i = 0; i < m.masked_paths.size(); ++i) {
        f.check_element(is_absolute(m.masked_paths[i]),
                        "maskedPaths",
                        i,
                        "\"{}\" is not an absolute path",
                        m.masked_paths[i]);
    }
    for (std::size_t i = 0; i < m.readonly_paths.size(); ++i) {
        f.check_element(is_absolute(m.readonly_paths[i]),
                        "readonlyPaths",
                        i,
                        "\"{}\" is not an absolute path",
                        m.readonly_paths[i]);
    }
}

template <typename F>
void fields(F& f, Of<F, Linux>& m) {
    f.optional("uidMappings", m.uid_mappings);
    f.optional("gidMappings", m.gid_mappings);
    f.optional("sysctl", m.sysctl);
    f.optional("resources", m.resources);
    f.optional("cgroupsPath", m.cgroups_path);
    f.optional("namespaces", m.namespaces);
    f.optional("devices", m.devices);
    f.optional("netDevices", m.net_devices);
    f.optional("seccomp", m.seccomp);
    f.optional_of("rootfsPropagation", m.rootfs_propagation, kPropagations);
    f.optional("maskedPaths", m.masked_paths);
    f.optional("readonlyPaths", m.readonly_paths);
    f.optional("mountLabel", m.mount_label);
    f.optional("intelRdt", m.intel_rdt);
    f.optional("memoryPolicy", m.memory_policy);
    f.optional("personality", m.personality);
    f.optional("timeOffsets", m.time_offsets);
    if constexpr (F::kReading) {
        if (m.seccomp && m.seccomp->default_action.empty()) {
            m.seccomp.reset();
        }
        check_linux(f, m);
    }
}

}  // namespace knarr::spec
