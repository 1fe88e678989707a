#include "runtime/native/intel_rdt.h"

#include <algorithm>

#include "core/text.h"

namespace knarr::runtime::native {

namespace {

bool is_memory_line(std::string_view line) {
    return trimmed(line).starts_with("MB:");
}

/// l3CacheSchema and memBwSchema as lines. Memory bandwidth in the first gives way to the second.
std::vector<std::string> two_schemas(const spec::IntelRdt& rdt) {
    std::vector<std::string> lines;
    for (const std::string_view line : split(rdt.l3_cache_schema, '\n')) {
        if (!line.empty() && (rdt.mem_bw_schema.empty() || !is_memory_line(line))) {
            lines.emplace_back(line);
        }
    }
    if (!rdt.mem_bw_schema.empty()) {
        lines.push_back(rdt.mem_bw_schema);
    }
    return lines;
}

}  // namespace

Result<std::optional<sys::ResctrlGroup>> plan_intel_rdt(const spec::RuntimeConfig& config,
                                                        const sys::HostFacts& host,
                                                        const std::string& id) {
    if (!config.linux_ || !config.linux_->intel_rdt) {
        return std::nullopt;
    }
    const spec::IntelRdt& rdt = *config.linux_->intel_rdt;
    if (!host.resctrl) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = "linux.intelRdt: no resctrl file system is mounted on this host",
            .hint = "where `grep resctrl /proc/filesystems` finds it, kernel and CPU have it: "
                    "mount -t resctrl resctrl /sys/fs/resctrl"});
    }
    sys::ResctrlGroup group;
    const bool root = rdt.clos_id == "/";
    const std::string& name = rdt.clos_id.empty() ? id : rdt.clos_id;
    group.mount_point = host.resctrl->mount_point;
    group.name = root ? "" : name;
    std::vector<std::string> lines = two_schemas(rdt);
    const bool there =
        root || std::ranges::find(host.resctrl->classes, name) != host.resctrl->classes.end();
    if (rdt.clos_id.empty() && there) {
        return fail(Error{
            .code = Errc::already_exists,
            .message = fmt::format("linux.intelRdt: a class {} is there already", group.path()),
            .hint = "remove it (rmdir), or set closID to use it"});
    }
    if (!there && !rdt.clos_id.empty() && lines.empty() && rdt.schemata.empty()) {
        return fail(
            Error{.code = Errc::invalid_config,
                  .message = fmt::format("linux.intelRdt.closID: there is no class \"{}\" in {}",
                                         printable(name),
                                         host.resctrl->mount_point),
                  .hint = "make it, or give l3CacheSchema, memBwSchema or schemata for a new one"});
    }
    group.make = !there;
    // Source: runtime-spec: one that was asked for by name stays when the container is deleted.
    group.owned = rdt.clos_id.empty();
    (there ? group.expected : group.schemata) = std::move(lines);
    std::ranges::copy(rdt.schemata, std::back_inserter(group.schemata));
    if (rdt.enable_monitoring || rdt.enable_cmt || rdt.enable_mbm) {
        if (!host.resctrl->monitors) {
            return fail(Errc::unsupported,
                        "linux.intelRdt.{}: this CPU monitors neither cache nor bandwidth",
                        rdt.enable_monitoring ? "enableMonitoring"
                        : rdt.enable_cmt      ? "enableCMT"
                                              : "enableMBM");
        }
        group.monitor = id;
    }
    return group;
}

}  // namespace knarr::runtime::native
