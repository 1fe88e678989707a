#include "runtime/native/user_cgroup.h"

#include <algorithm>

#include "core/text.h"
#include "runtime/native/mounts.h"

namespace knarr::runtime::native {

namespace {

std::string above(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

/// The cgroups in which the caller may make others.
std::vector<sys::CgroupHierarchy> delegated(const sys::HostFacts& host) {
    std::vector<sys::CgroupHierarchy> out;
    for (sys::CgroupHierarchy one : host.cgroups) {
        const bool used = host.cgroup_layout != sys::CgroupLayout::v2 || one.v2;
        if (!used || (!one.own_delegated && !one.parent_delegated)) {
            continue;
        }
        if (one.v2 && one.parent_delegated) {
            one.own_path = above(one.own_path);
        }
        out.push_back(std::move(one));
    }
    return out;
}

/// An absolute path must lie below what is delegated; a relative one does.
bool is_within(const std::string& path, const std::vector<sys::CgroupHierarchy>& cgroups) {
    return !path.starts_with('/') ||
           std::ranges::all_of(cgroups, [&](const sys::CgroupHierarchy& one) {
               return lies_below(clean_destination(path), one.own_path);
           });
}

std::string why_none(const spec::Linux& config, bool any) {
    return any ? fmt::format(
                     "linux.cgroupsPath: {} is not below the cgroup that is delegated to "
                     "the caller",
                     printable(config.cgroups_path))
               : "no cgroup is delegated to the caller";
}

}  // namespace

bool asks_for_limits(const spec::Resources& resources) {
    const auto& memory = resources.memory;
    const auto& cpu = resources.cpu;
    const auto& block = resources.block_io;
    return (memory && (memory->limit || memory->reservation || memory->swap || memory->kernel ||
                       memory->kernel_tcp || memory->swappiness || memory->disable_oom_killer)) ||
           (cpu &&
            (cpu->shares || cpu->quota || cpu->burst || cpu->period || cpu->realtime_runtime ||
             cpu->realtime_period || cpu->idle || !cpu->cpus.empty() || !cpu->mems.empty())) ||
           resources.pids_limit.value_or(0) > 0 ||
           (block && (block->weight || block->leaf_weight || !block->weight_devices.empty() ||
                      !block->read_bps.empty() || !block->write_bps.empty() ||
                      !block->read_iops.empty() || !block->write_iops.empty())) ||
           !resources.hugepage_limits.empty() || !resources.rdma.empty() ||
           (resources.network &&
            (resources.network->class_id || !resources.network->priorities.empty())) ||
           !resources.unified.empty();
}

Result<std::optional<sys::HostFacts>> delegated_host(const spec::Linux& config,
                                                     const sys::HostFacts& host,
                                                     std::vector<std::string>& warnings) {
    sys::HostFacts view = host;
    view.cgroups = delegated(host);
    if (!view.cgroups.empty() && is_within(config.cgroups_path, view.cgroups)) {
        return view;
    }
    const std::string reason = why_none(config, !view.cgroups.empty());
    if (config.resources && asks_for_limits(*config.resources)) {
        return fail(Error{.code = Errc::denied,
                          .message = "linux.resources: limits are asked for, and " + reason,
                          .hint =
                              "leave the limits out, or start knarr where a cgroup is delegated: "
                              "systemd-run --user --scope -p Delegate=yes knarr ..."});
    }
    if (!config.cgroups_path.empty()) {
        warnings.push_back(reason + ": the container gets no cgroup of its own");
    }
    return std::nullopt;
}

}  // namespace knarr::runtime::native
