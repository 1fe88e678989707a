#include "bundle/settings.h"

#include <algorithm>
#include <array>

#include "bundle/default_seccomp.h"
#include "core/ascii.h"
#include "core/text.h"
#include "platform/capability.h"

namespace knarr::bundle {

namespace {

constexpr std::string_view kAll = "ALL";
constexpr std::uint32_t kUsualUmask = 0022;  // docker's and podman's, whatever the caller has

/// A set of capabilities by the names that were given with `option`; ALL is told apart.
struct NamedCapabilities {
    sys::CapSet set = 0;
    bool all = false;
};

Result<NamedCapabilities> by_name(const std::vector<std::string>& names, std::string_view option) {
    NamedCapabilities out;
    for (const std::string& name : names) {
        if (to_upper(name) == kAll) {
            out.all = true;
            continue;
        }
        const auto number = sys::parse_capability(name);
        if (!number) {
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("{} \"{}\" is no capability", option, printable(name)),
                      .hint = "names as in capabilities(7), NET_ADMIN or CAP_NET_ADMIN, or "
                              "ALL"});
        }
        out.set |= sys::cap_bit(*number);
    }
    return out;
}

constexpr sys::CapSet kEverything = (sys::CapSet{1} << sys::kKnownCapabilities) - 1;

sys::CapSet default_set() {
    sys::CapSet set = 0;
    for (const std::string& name : default_capabilities()) {
        set |= sys::cap_bit(sys::parse_capability(name).value_or(0));
    }
    return set;
}

std::vector<std::string> names_of(sys::CapSet set) {
    std::vector<std::string> names;
    for (unsigned i = 0; i < sys::kKnownCapabilities; ++i) {
        if ((set & sys::cap_bit(i)) != 0) {
            names.emplace_back(sys::capability_name(i));
        }
    }
    std::ranges::sort(names);
    return names;
}

/// The kernel's limits by docker's names. Source: setrlimit(2).
constexpr std::array<std::string_view, 16> kLimits{"as",
                                                   "core",
                                                   "cpu",
                                                   "data",
                                                   "fsize",
                                                   "locks",
                                                   "memlock",
                                                   "msgqueue",
                                                   "nice",
                                                   "nofile",
                                                   "nproc",
                                                   "rss",
                                                   "rtprio",
                                                   "rttime",
                                                   "sigpending",
                                                   "stack"};

Result<> apply_ulimits(const ContainerSettings& settings, spec::Process& process) {
    for (const UlimitRequest& limit : settings.ulimits) {
        if (std::ranges::find(kLimits, limit.name) == kLimits.end()) {
            return fail(
                Error{.code = Errc::invalid_argument,
                      .message = fmt::format("--ulimit: \"{}\" is no limit", printable(limit.name)),
                      .hint = fmt::format("one of {}", fmt::join(kLimits, ", "))});
        }
        const std::string type = "RLIMIT_" + to_upper(limit.name);
        std::erase_if(process.rlimits, [&](const spec::Rlimit& one) { return one.type == type; });
        process.rlimits.push_back({.type = type, .soft = limit.soft, .hard = limit.hard});
    }
    return {};
}

void apply_privileges(const SecuritySettings& security, spec::RuntimeConfig& config) {
    spec::Process& process = *config.process;
    spec::Linux& linux_config = *config.linux_;
    const bool all = security.privileged;
    process.no_new_privileges = security.no_new_privileges.value_or(!all);
    process.apparmor_profile = security.apparmor_profile;
    process.selinux_label = security.selinux_label;
    if (all || security.any_system_call) {
        linux_config.seccomp.reset();
    } else {
        linux_config.seccomp = default_seccomp(process.capabilities->bounding);
    }
    if (all || security.open_system_paths) {
        linux_config.masked_paths.clear();
        linux_config.readonly_paths.clear();
    }
    if (!all) {
        return;
    }
    for (spec::Mount& mount : config.mounts) {
        if (mount.type == "sysfs" || mount.type == "cgroup") {
            std::erase(mount.options, "ro");
            mount.options.emplace_back("rw");
        }
    }
    linux_config.resources->devices = {
        {.allow = true, .type = 'a', .major = {}, .minor = {}, .access = "rwm"}};
}

void apply_devices(const std::vector<HostDevice>& devices,
                   bool all_allowed,
                   spec::Linux& linux_config) {
    for (const HostDevice& one : devices) {
        linux_config.devices.push_back(one.device);
        if (!all_allowed) {
            linux_config.resources->devices.push_back({.allow = true,
                                                       .type = one.device.type,
                                                       .major = one.device.major,
                                                       .minor = one.device.minor,
                                                       .access = one.access});
        }
    }
}

void apply_device_numbers(const ContainerSettings& settings, spec::Linux& linux_config) {
    if (settings.security.privileged) {
        return;  // all are allowed
    }
    for (const DeviceNumbers& one : settings.device_rules) {
        linux_config.resources->devices.push_back({.allow = true,
                                                   .type = one.type,
                                                   .major = one.major,
                                                   .minor = one.minor,
                                                   .access = one.access});
    }
}

Result<> apply_memory(const ResourceSettings& wish, spec::Resources& resources) {
    if (!wish.memory_reservation && !wish.memory_swap && !wish.memory_swappiness &&
        !wish.waits_for_memory) {
        return {};
    }
    if (!resources.memory) {
        resources.memory.emplace();
    }
    spec::MemoryLimits& memory = *resources.memory;
    if (wish.memory_swap) {
        if (!memory.limit) {
            return fail(Errc::invalid_argument,
                        "--memory-swap is a limit of memory and swap together: give --memory too");
        }
        if (*wish.memory_swap != -1 && *wish.memory_swap < *memory.limit) {
            return fail(Errc::invalid_argument,
                        "--memory-swap {} is memory and swap together, and below --memory {}",
                        *wish.memory_swap,
                        *memory.limit);
        }
        memory.swap = wish.memory_swap;
    }
    if (wish.memory_reservation) {
        if (memory.limit && *wish.memory_reservation > *memory.limit) {
            return fail(Errc::invalid_argument,
                        "--memory-reservation {} is above --memory {}",
                        *wish.memory_reservation,
                        *memory.limit);
        }
        memory.reservation = wish.memory_reservation;
    }
    memory.swappiness = wish.memory_swappiness;
    if (wish.waits_for_memory) {
        if (memory.limit.value_or(-1) == -1) {
            return fail(Errc::invalid_argument,
                        "--oom-kill-disable without --memory would let the container take all "
                        "memory of the host and never end");
        }
        memory.disable_oom_killer = true;
    }
    return {};
}

Result<> apply_resources(const ResourceSettings& wish, spec::RuntimeConfig& config) {
    spec::Resources& resources = *config.linux_->resources;
    KNARR_TRY(apply_memory(wish, resources));
    if (wish.cpu_shares || wish.cpu_period_us || wish.realtime_period_us ||
        wish.realtime_runtime_us || !wish.cpuset_cpus.empty() || !wish.cpuset_mems.empty()) {
        if (!resources.cpu) {
            resources.cpu.emplace();
        }
        spec::CpuLimits& cpu = *resources.cpu;
        cpu.shares = wish.cpu_shares;
        cpu.period = wish.cpu_period_us ? wish.cpu_period_us : cpu.period;
        cpu.realtime_period = wish.realtime_period_us;
        cpu.realtime_runtime = wish.realtime_runtime_us;
        cpu.cpus = wish.cpuset_cpus;
        cpu.mems = wish.cpuset_mems;
    }
    if (wish.block_io_weight) {
        if (!resources.block_io) {
            resources.block_io.emplace();
        }
        resources.block_io->weight = static_cast<std::uint16_t>(*wish.block_io_weight);
    }
    resources.unified = wish.unified;
    config.process->oom_score_adj = wish.oom_score_adj;
    return {};
}

/// Namespaces that are the host's, and what hangs on them.
void share_namespaces(const ContainerSettings& settings, spec::RuntimeConfig& config) {
    using spec::NamespaceType;
    const auto share = [&](bool wanted, NamespaceType type) {
        if (wanted) {
            std::erase_if(config.linux_->namespaces,
                          [&](const spec::Namespace& one) { return one.type == type; });
        }
    };
    share(settings.host_pid, NamespaceType::pid);
    share(settings.host_ipc, NamespaceType::ipc);
    share(settings.host_uts, NamespaceType::uts);
    share(settings.host_cgroup, NamespaceType::cgroup);
    if (settings.host_uts) {
        config.hostname.clear();  // it has the host's
    }
    if (settings.host_ipc) {
        // The host's shared memory is in a mount of its own; a new mqueue shows the namespace's
        // queues.
        for (spec::Mount& mount : config.mounts) {
            if (mount.destination == "/dev/shm") {
                mount.type = "bind";
                mount.source = mount.destination;
                mount.options = {"rbind", "rprivate", "nosuid", "noexec", "nodev"};
            }
        }
    }
}

}  // namespace

Result<std::vector<std::string>> choose_capabilities(const SecuritySettings& security) {
    const NamedCapabilities add = KNARR_TRY(by_name(security.add_capabilities, "--cap-add"));
    const NamedCapabilities drop = KNARR_TRY(by_name(security.drop_capabilities, "--cap-drop"));
    if (security.privileged) {
        return names_of(kEverything);
    }
    if (add.all) {
        return names_of(kEverything & ~drop.set);
    }
    if (drop.all) {
        return names_of(add.set);
    }
    return names_of((default_set() & ~drop.set) | add.set);
}

std::string cgroup_below(std::string_view parent, std::string_view id) {
    if (parent.empty()) {
        return "";
    }
    if (parent.ends_with(".slice") && parent.find('/') == std::string_view::npos) {
        return fmt::format("{}:knarr:{}", parent, id);
    }
    while (parent.ends_with('/')) {
        parent.remove_suffix(1);
    }
    return fmt::format("{}{}/{}", parent.starts_with('/') ? "" : "/", parent, id);
}

Result<std::string> target_path(std::string_view path, std::string_view what) {
    std::string out;
    for (const std::string_view part : split(path, '/')) {
        if (part == "..") {
            return fail(
                Errc::invalid_argument, "{} \"{}\" has \"..\" in it", what, printable(path));
        }
        if (!part.empty() && part != ".") {
            out += '/';
            out += part;
        }
    }
    if (!path.starts_with('/') || path.find('\0') != std::string_view::npos) {
        return fail(
            Errc::invalid_argument, "{} \"{}\" is not an absolute path", what, printable(path));
    }
    if (out.empty()) {
        return fail(
            Errc::invalid_argument, "{} \"{}\" is the root directory", what, printable(path));
    }
    return out;
}

Result<std::vector<spec::Mount>> tmpfs_mounts(const ContainerSettings& settings) {
    std::vector<spec::Mount> mounts;
    for (const TmpfsRequest& wish : settings.tmpfs) {
        // docker's: harmless unless options say otherwise.
        std::vector<std::string> options{"nosuid", "nodev", "noexec"};
        for (const std::string& option : wish.options) {
            const auto opposite = [&](const std::string& one) {
                return one == "no" + option || option == "no" + one;
            };
            std::erase_if(options, opposite);
            options.push_back(option);
        }
        mounts.push_back({.destination = KNARR_TRY(target_path(wish.target, "tmpfs target")),
                          .type = "tmpfs",
                          .source = "tmpfs",
                          .options = std::move(options),
                          .uid_mappings = {},
                          .gid_mappings = {}});
    }
    return mounts;
}

Result<> apply_settings(const ContainerSettings& settings,
                        const std::vector<HostDevice>& devices,
                        spec::RuntimeConfig& config) {
    spec::Capabilities& caps = *config.process->capabilities;
    const bool is_root = config.process->user.uid == 0;
    caps.bounding = KNARR_TRY(choose_capabilities(settings.security));
    if (is_root) {
        caps.effective = caps.permitted = caps.bounding;
    }
    apply_privileges(settings.security, config);
    apply_devices(devices, settings.security.privileged, *config.linux_);
    apply_device_numbers(settings, *config.linux_);
    config.process->user.umask = settings.umask.value_or(kUsualUmask);
    if (!settings.personality.empty()) {
        config.linux_->personality = {.domain = settings.personality, .flags = {}};
    }
    KNARR_TRY(apply_ulimits(settings, *config.process));
    KNARR_TRY(apply_resources(settings.resources, config));
    share_namespaces(settings, config);
    config.domainname = settings.names.domain;
    config.linux_->sysctl = settings.sysctls;
    config.annotations = settings.annotations;
    if (settings.shm_bytes) {
        for (spec::Mount& mount : config.mounts) {
            if (mount.destination == "/dev/shm" && mount.type == "tmpfs") {
                std::erase_if(mount.options,
                              [](const std::string& one) { return one.starts_with("size="); });
                mount.options.push_back(fmt::format("size={}", *settings.shm_bytes));
            }
        }
    }
    return {};
}

}  // namespace knarr::bundle
