#include "bundle/defaults.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fmt/format.h>

namespace knarr::bundle {

namespace {

constexpr std::uint64_t kLastPingGid = 2'147'483'647;  // Source: Linux net/ipv4/ping.c, GID_T_MAX

spec::Mount mount(std::string destination,
                  std::string type,
                  std::string source,
                  std::vector<std::string> options) {
    return {.destination = std::move(destination),
            .type = std::move(type),
            .source = std::move(source),
            .options = std::move(options),
            .uid_mappings = {},
            .gid_mappings = {}};
}

}  // namespace

std::vector<spec::Mount> default_mounts() {
    return {
        mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}),
        mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
        mount("/dev/pts",
              "devpts",
              "devpts",
              {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}),
        mount(
            "/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
        mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
        mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
        mount(
            "/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}),
    };
}

std::vector<spec::Mount> read_only_scratch() {
    const std::vector<std::string> options{
        "nosuid", "nodev", "mode=1777", "size=65536k", "tmpcopyup"};
    return {
        mount("/tmp", "tmpfs", "tmpfs", options),
        mount(
            "/run", "tmpfs", "tmpfs", {"nosuid", "nodev", "mode=755", "size=65536k", "tmpcopyup"}),
        mount("/var/tmp", "tmpfs", "tmpfs", options)};
}

std::vector<std::string> default_masked_paths() {
    return {"/proc/acpi",
            "/proc/asound",
            "/proc/interrupts",
            "/proc/kcore",
            "/proc/keys",
            "/proc/latency_stats",
            "/proc/timer_list",
            "/proc/timer_stats",
            "/proc/sched_debug",
            "/proc/scsi",
            "/sys/firmware",
            "/sys/devices/virtual/powercap",
            "/sys/fs/selinux",
            "/sys/dev/block"};
}

std::vector<std::string> default_readonly_paths() {
    return {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
}

std::vector<spec::DeviceRule> default_device_rules() {
    const auto allow = [](std::int64_t major, std::optional<std::int64_t> minor) {
        return spec::DeviceRule{
            .allow = true, .type = 'c', .major = major, .minor = minor, .access = "rwm"};
    };
    return {
        {.allow = false, .type = 'a', .major = {}, .minor = {}, .access = "rwm"},
        allow(1, 3),     // null
        allow(1, 5),     // zero
        allow(1, 7),     // full
        allow(1, 8),     // random
        allow(1, 9),     // urandom
        allow(5, 0),     // tty
        allow(5, 2),     // ptmx
        allow(136, {}),  // pts/N
    };
}

namespace {

/// The last of the groups from 0 on; nothing where 0 is not mapped.
std::optional<std::uint32_t> last_gid(std::vector<spec::IdMapping> maps) {
    std::ranges::sort(maps, {}, &spec::IdMapping::container_id);
    std::uint64_t end = 0;
    for (const spec::IdMapping& map : maps) {
        if (map.container_id == end) {
            end += map.size;
        }
    }
    return end == 0 ? std::nullopt
                    : std::optional(static_cast<std::uint32_t>(std::min(end - 1, kLastPingGid)));
}

}  // namespace

std::map<std::string, std::string> default_sysctls(const spec::RuntimeConfig& config, Gids own) {
    const auto is_own_network = [](const spec::Namespace& one) {
        return one.type == spec::NamespaceType::network && one.path.empty();
    };
    if (!config.linux_ || std::ranges::none_of(config.linux_->namespaces, is_own_network)) {
        return {};
    }
    std::map<std::string, std::string> out = {{"net.ipv4.ip_unprivileged_port_start", "0"}};
    std::optional<std::uint32_t> last = last_gid(config.linux_->gid_mappings);
    if (config.linux_->gid_mappings.empty() && own == Gids::all) {
        last = kLastPingGid;
    }
    if (last) {
        out["net.ipv4.ping_group_range"] = fmt::format("0 {}", *last);
    }
    return out;
}

}  // namespace knarr::bundle
