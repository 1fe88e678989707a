#include "engine/inspect_host_config.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "bundle/defaults.h"
#include "bundle/make.h"
#include "core/ascii.h"
#include "core/text.h"
#include "engine/inspect_mounts.h"
#include "platform/file.h"

namespace knarr::engine {

namespace {

/// The host's path of a device by its numbers, as the kernel names it; empty where there is none.
std::string device_path(char type, std::int64_t major, std::int64_t minor) {
    constexpr std::size_t kMaxBytes = 4096;
    constexpr std::string_view kName = "DEVNAME=";
    const auto text = sys::read_file(
        fmt::format("/sys/dev/{}/{}:{}/uevent", type == 'b' ? "block" : "char", major, minor),
        kMaxBytes);
    const std::string known = text.value_or(std::string());
    for (const std::string_view line : split(known, '\n')) {
        if (line.starts_with(kName)) {
            return fmt::format("/dev/{}", line.substr(kName.size()));
        }
    }
    return "";
}

/// What `--cgroup-parent` said, from linux.cgroupsPath.
std::string cgroup_parent_of(std::string_view cgroups_path) {
    if (const std::size_t colon = cgroups_path.find(':'); colon != std::string_view::npos) {
        return std::string(cgroups_path.substr(0, colon));
    }
    const std::size_t slash = cgroups_path.rfind('/');
    return slash == std::string_view::npos ? "" : std::string(cgroups_path.substr(0, slash));
}

/// docker's words for whose namespaces it has.
void write_namespaces(spec::JsonWriter& json, const spec::RuntimeConfig& config) {
    const auto mode = [&](spec::NamespaceType type, std::string_view own) {
        return has_namespace(config, type) ? own : std::string_view("host");
    };
    json.member("NetworkMode", mode(spec::NamespaceType::network, "none"));
    json.member("PidMode", mode(spec::NamespaceType::pid, ""));
    json.member("IpcMode", mode(spec::NamespaceType::ipc, "private"));
    json.member("UTSMode", mode(spec::NamespaceType::uts, ""));
    json.member("CgroupnsMode", mode(spec::NamespaceType::cgroup, "private"));
    json.member("UsernsMode", "");
}

template <typename Device, typename Number>
void write_disk_list(spec::JsonWriter& json,
                     std::string_view name,
                     const std::vector<Device>& devices,
                     std::string_view member,
                     const Number& number) {
    json.key(name).begin_array();
    for (const Device& one : devices) {
        json.begin_object().member("Path", device_path('b', one.major, one.minor));
        json.member(member, number(one)).end_object();
    }
    json.end_array();
}

void write_disks(spec::JsonWriter& json, const spec::BlockIoLimits& disks) {
    const auto rate = [](const spec::ThrottleDevice& one) { return one.rate; };
    json.member("BlkioWeight", disks.weight.value_or(0));
    write_disk_list(json,
                    "BlkioWeightDevice",
                    disks.weight_devices,
                    "Weight",
                    [](const spec::WeightDevice& one) { return one.weight.value_or(0); });
    write_disk_list(json, "BlkioDeviceReadBps", disks.read_bps, "Rate", rate);
    write_disk_list(json, "BlkioDeviceWriteBps", disks.write_bps, "Rate", rate);
    write_disk_list(json, "BlkioDeviceReadIOps", disks.read_iops, "Rate", rate);
    write_disk_list(json, "BlkioDeviceWriteIOps", disks.write_iops, "Rate", rate);
}

void write_limits(spec::JsonWriter& json, const spec::Resources& resources) {
    const spec::CpuLimits cpu = resources.cpu.value_or(spec::CpuLimits{});
    const spec::MemoryLimits memory = resources.memory.value_or(spec::MemoryLimits{});
    json.member("CpuShares", cpu.shares.value_or(0)).member("CpuPeriod", cpu.period.value_or(0));
    json.member("CpuQuota", cpu.quota.value_or(0));
    json.member("CpusetCpus", cpu.cpus).member("CpusetMems", cpu.mems);
    json.member("Memory", memory.limit.value_or(0)).member("MemorySwap", memory.swap.value_or(0));
    json.member("MemoryReservation", memory.reservation.value_or(0));
    json.member("PidsLimit", resources.pids_limit);
    constexpr std::int64_t kNanoCpus = 1'000'000'000;
    const std::int64_t period = static_cast<std::int64_t>(cpu.period.value_or(0));
    const std::int64_t quota = cpu.quota.value_or(0);
    const bool bounded = quota > 0 && period > 0 && quota / period <= INT64_MAX / kNanoCpus / 2;
    json.member("NanoCpus",
                bounded ? quota / period * kNanoCpus + quota % period * kNanoCpus / period : 0);
    json.member("CpuRealtimePeriod", cpu.realtime_period.value_or(0));
    json.member("CpuRealtimeRuntime", cpu.realtime_runtime.value_or(0));
    json.member("MemorySwappiness", memory.swappiness);
    json.member("OomKillDisable", memory.disable_oom_killer.value_or(false));
    write_disks(json, resources.block_io.value_or(spec::BlockIoLimits{}));
}

/// As --privileged makes it: every device may be opened.
bool is_privileged(const spec::Resources& resources) {
    return resources.devices.size() == 1 && resources.devices.front().allow &&
           resources.devices.front().type == 'a';
}

/// What it has besides the default capabilities, and what of them it lacks.
void write_capabilities(spec::JsonWriter& json, const spec::RuntimeConfig& config) {
    std::vector<std::string> has = config.process && config.process->capabilities
                                       ? config.process->capabilities->bounding
                                       : std::vector<std::string>();
    std::vector<std::string> usual = bundle::default_capabilities();
    std::ranges::sort(has);
    std::ranges::sort(usual);
    std::vector<std::string> more;
    std::vector<std::string> less;
    std::ranges::set_difference(has, usual, std::back_inserter(more));
    std::ranges::set_difference(usual, has, std::back_inserter(less));
    json.member("CapAdd", more).member("CapDrop", less);
}

void write_devices(spec::JsonWriter& json, const spec::Linux& part) {
    static const spec::Resources kNone;
    const spec::Resources& resources = part.resources ? *part.resources : kNone;
    const auto is_rule_of = [](const spec::DeviceRule& rule, const spec::Device& device) {
        return rule.type == device.type && rule.major == device.major && rule.minor == device.minor;
    };
    json.key("Devices").begin_array();
    for (const spec::Device& device : part.devices) {
        if (is_privileged(resources)) {
            break;  // all of the host's, which nobody named
        }
        const auto rule = std::ranges::find_if(
            resources.devices, [&](const auto& one) { return is_rule_of(one, device); });
        json.begin_object();
        json.member("PathOnHost", device_path(device.type, device.major, device.minor));
        json.member("PathInContainer", device.path);
        json.member("CgroupPermissions", rule == resources.devices.end() ? "" : rule->access);
        json.end_object();
    }
    json.end_array().key("DeviceCgroupRules").begin_array();
    const std::vector<spec::DeviceRule> usual = bundle::default_device_rules();
    const auto number = [](const std::optional<std::int64_t>& one) {
        return one ? std::to_string(*one) : std::string("*");
    };
    for (const spec::DeviceRule& rule : resources.devices) {
        const bool is_usual = std::ranges::any_of(usual, [&](const auto& one) {
            return one.allow == rule.allow && one.type == rule.type && one.major == rule.major &&
                   one.minor == rule.minor && one.access == rule.access;
        });
        const bool is_devices = std::ranges::any_of(
            part.devices, [&](const auto& device) { return is_rule_of(rule, device); });
        if (rule.allow && !is_usual && !is_devices && !is_privileged(resources)) {
            json.value(fmt::format(
                "{} {}:{} {}", rule.type, number(rule.major), number(rule.minor), rule.access));
        }
    }
    json.end_array();
}

/// docker's words for what differs from its defaults, and ours for what differs from ours.
void write_security(spec::JsonWriter& json, const spec::RuntimeConfig& config) {
    const spec::Linux part = config.linux_.value_or(spec::Linux{});
    const bool privileged = part.resources && is_privileged(*part.resources);
    std::vector<std::string> options;
    if (config.process && !privileged) {
        if (!config.process->no_new_privileges) {
            options.emplace_back("no-new-privileges=false");
        }
        if (!part.seccomp) {
            options.emplace_back("seccomp=unconfined");
        }
        if (part.masked_paths.empty() && part.readonly_paths.empty()) {
            options.emplace_back("systempaths=unconfined");
        }
    }
    if (config.process && !config.process->apparmor_profile.empty()) {
        options.push_back("apparmor=" + config.process->apparmor_profile);
    }
    json.member("Privileged", privileged).member("SecurityOpt", options);
    json.member("MaskedPaths", part.masked_paths).member("ReadonlyPaths", part.readonly_paths);
}

/// What was mounted by --tmpfs, and the size of /dev/shm.
void write_memory_mounts(spec::JsonWriter& json,
                         const Record& record,
                         const spec::RuntimeConfig& config) {
    std::map<std::string, std::string> tmpfs;
    std::int64_t shared = 0;
    std::vector<spec::Mount> ours = bundle::default_mounts();
    std::ranges::move(bundle::read_only_scratch(), std::back_inserter(ours));
    constexpr std::string_view kSize = "size=";
    for (const spec::Mount& mount : config.mounts) {
        const bool is_ours = std::ranges::any_of(ours, [&](const spec::Mount& one) {
            return one.destination == mount.destination && one.options == mount.options;
        });
        if (mount.type == "tmpfs" && mount.destination != "/dev/shm" && !is_ours &&
            !is_by_mount(record, mount)) {
            tmpfs[mount.destination] = fmt::format("{}", fmt::join(mount.options, ","));
        }
        const auto size = std::ranges::find_if(
            mount.options, [&](const auto& one) { return one.starts_with(kSize); });
        if (mount.destination == "/dev/shm" && mount.type == "tmpfs" &&
            size != mount.options.end()) {
            shared = parse_size(size->substr(kSize.size()), "size").value_or(0);
        }
    }
    json.member("Tmpfs", tmpfs).member("ShmSize", shared);
}

void write_process_limits(spec::JsonWriter& json, const spec::RuntimeConfig& config) {
    json.key("Ulimits").begin_array();
    constexpr std::string_view kPrefix = "RLIMIT_";
    const auto shown = [](std::uint64_t limit) {
        return limit > INT64_MAX ? std::int64_t{-1} : static_cast<std::int64_t>(limit);
    };
    for (const spec::Rlimit& limit :
         config.process ? config.process->rlimits : std::vector<spec::Rlimit>()) {
        const std::string_view name = limit.type;
        json.begin_object().member(
            "Name",
            to_lower(std::string(name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name)));
        json.member("Hard", shown(limit.hard)).member("Soft", shown(limit.soft)).end_object();
    }
    json.end_array();
    auto sysctls = config.linux_ ? config.linux_->sysctl : std::map<std::string, std::string>();
    for (const auto& usual : bundle::default_sysctls(config, bundle::Gids::all)) {
        if (const auto found = sysctls.find(usual.first);
            found != sysctls.end() && *found == usual) {
            sysctls.erase(found);  // docker tells of those that were asked for
        }
    }
    json.member("Sysctls", sysctls);
    const auto& args = config.process ? config.process->args : std::vector<std::string>();
    json.member("Init", !args.empty() && args.front() == bundle::kInitTarget);
}

/// Members that docker always has: of what there is not here, but for the groups.
void write_absent(spec::JsonWriter& json, const spec::RuntimeConfig& config, const Asked& asked) {
    const spec::ConsoleSize size = config.process
                                       ? config.process->console_size.value_or(spec::ConsoleSize{})
                                       : spec::ConsoleSize{};
    json.key("ConsoleSize").begin_array();
    json.value(size.height).value(size.width).end_array();
    if (asked.groups.empty()) {
        json.key("GroupAdd").null();
    } else {
        json.member("GroupAdd", asked.groups);
    }
    json.member("VolumeDriver", "").member("Cgroup", "").key("DeviceRequests").null();
    json.member("CpuCount", 0).member("CpuPercent", 0);
    json.member("IOMaximumIOps", 0).member("IOMaximumBandwidth", 0);
}

}  // namespace

bool has_namespace(const spec::RuntimeConfig& config, spec::NamespaceType type) {
    return config.linux_ && std::ranges::any_of(config.linux_->namespaces,
                                                [&](const auto& one) { return one.type == type; });
}

void write_host_config(spec::JsonWriter& json,
                       const Record& record,
                       const spec::RuntimeConfig& config) {
    json.key("HostConfig").begin_object();
    const Asked asked = record.life ? record.life->asked.value_or(Asked{}) : Asked{};
    write_asked_mounts(json, record, config);
    json.member("ContainerIDFile", asked.id_file);
    json.member("AutoRemove", record.auto_remove);
    write_namespaces(json, config);
    if (config.process) {
        json.member("OomScoreAdj", config.process->oom_score_adj.value_or(0));
    }
    if (record.life) {
        const RestartPolicy& policy = record.life->restart.policy;
        json.key("RestartPolicy").begin_object().member("Name", name_of(policy.mode));
        json.member("MaximumRetryCount", policy.max_retries).end_object();
    }
    json.member("ReadonlyRootfs", config.root && config.root->readonly);
    json.member("Isolation", name_of(record.isolation));
    if (record.life && record.life->monitored) {
        const LogPolicy& log = record.life->log;
        json.key("LogConfig")
            .begin_object()
            .member("Type",
                    log.journal ? "journald"
                    : log.keep  ? "k8s-file"
                                : "none");
        json.key("Config").begin_object();
        if (log.max_bytes > 0) {
            json.member("max-size", fmt::format("{}", log.max_bytes));
            json.member("max-file", fmt::format("{}", log.max_files));
        }
        if (!log.labels.empty()) {
            json.member("labels", fmt::format("{}", fmt::join(log.labels, ",")));
        }
        if (!log.variables.empty()) {
            json.member("env", fmt::format("{}", fmt::join(log.variables, ",")));
        }
        json.end_object().end_object();
    }
    const spec::Linux part = config.linux_.value_or(spec::Linux{});
    write_capabilities(json, config);
    write_devices(json, part);
    write_security(json, config);
    write_memory_mounts(json, record, config);
    write_process_limits(json, config);
    json.member("CgroupParent", cgroup_parent_of(part.cgroups_path)).member("Runtime", "knarr");
    json.member("Annotations", config.annotations);
    // There is no network that ports could be published on.
    json.key("PortBindings").begin_object().end_object().member("PublishAllPorts", false);
    json.key("Links").null().key("VolumesFrom").null();
    const NameSettings names = record.life ? record.life->names : NameSettings{};
    write_absent(json, config, asked);
    json.member("Dns", names.servers).member("DnsOptions", names.options);
    json.member("DnsSearch", names.search).member("ExtraHosts", names.hosts);
    write_limits(json, part.resources.value_or(spec::Resources{}));
    json.end_object();
}

}  // namespace knarr::engine
