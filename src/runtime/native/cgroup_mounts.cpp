// A mount of type "cgroup": what shows a container its own cgroup, in every layout.

#include <linux/mount.h>
#include <sys/mount.h>

#include "core/text.h"
#include "runtime/native/mounts.h"

namespace knarr::runtime::native {

namespace {

constexpr unsigned long kSafeFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr std::uint64_t kSafeAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

std::string base_of(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

Step bind_own(const sys::CgroupDir& dir, const std::string& target, bool read_only) {
    return {.name = fmt::format("bind cgroup {}{} on {}", dir.mount_point, dir.path, target),
            .operation = step::Bind{
                .source = dir.mount_point + dir.path,
                .target = target,
                .recursive = false,
                .set = kSafeAttributes | (read_only ? std::uint64_t{MOUNT_ATTR_RDONLY} : 0),
                .uid_mappings = {},
                .gid_mappings = {}}};
}

Step mount_new(const std::string& type,
               const std::string& target,
               const std::string& data,
               bool read_only) {
    return {.name = fmt::format("mount {} on {}", type, target),
            .operation = step::MountFs{
                .fstype = type,
                .source = "cgroup",
                .target = target,
                .flags = kSafeFlags | (read_only ? static_cast<unsigned long>(MS_RDONLY) : 0UL),
                .data = data}};
}

/// Links "cpu" and "cpuacct" to "cpu,cpuacct", as hosts have them.
void link_controllers(const sys::CgroupDir& dir,
                      const std::string& target,
                      const std::string& base,
                      std::vector<Step>& steps) {
    const auto controllers = split(dir.controllers, ',');
    for (const std::string_view one : controllers) {
        if (controllers.size() > 1 && one != base) {
            const std::string path = fmt::format("{}/{}", target, one);
            steps.push_back({.name = fmt::format("link {} to {}", path, base),
                             .operation = step::MakeSymlink{.path = path, .target = base}});
        }
    }
}

}  // namespace

sys::CgroupPlan cgroup_of_caller(const sys::HostFacts& host) {
    sys::CgroupPlan plan{.dirs = {},
                         .v2 = host.cgroup_layout == sys::CgroupLayout::v2,
                         .enable = {},
                         .device_rules = {}};
    for (const sys::CgroupHierarchy& one : host.cgroups) {
        if (!plan.v2 || one.v2) {
            plan.dirs.push_back(
                {.controllers = one.v2 ? "" : fmt::format("{}", fmt::join(one.controllers, ",")),
                 .mount_point = one.mount_point,
                 .path = one.own_path == "/" ? "" : one.own_path,
                 .writes = {}});
        }
    }
    return plan;
}

Result<std::vector<Step>> plan_cgroup_mount(const MountContext& context,
                                            const std::string& target,
                                            const MountOptions& options,
                                            std::vector<std::string>& warnings) {
    if (context.cgroup == nullptr || context.cgroup->dirs.empty()) {
        return fail(
            Errc::unsupported, "type: cgroup: {}", "no cgroup hierarchy is mounted on this host");
    }
    bool read_only = (options.flags & MS_RDONLY) != 0;
    const bool others = context.cgroup_is_callers || !context.cgroup_namespace;
    if (context.rootless && others && !read_only) {
        // CVE-2023-25809: what a rootless container sees here are delegated cgroups that are not
        // its own.
        read_only = true;
        warnings.push_back(fmt::format(
            "mount on {}: mounted read-only, because the container is rootless and has no cgroup "
            "{}",
            target,
            context.cgroup_is_callers ? "of its own" : "namespace"));
    }
    std::vector<Step> steps;
    if (context.cgroup->v2) {
        steps.push_back(context.cgroup_namespace
                            ? mount_new("cgroup2", target, "", read_only)
                            : bind_own(context.cgroup->dirs.front(), target, read_only));
        return steps;
    }
    steps.push_back({.name = fmt::format("mount tmpfs on {}", target),
                     .operation = step::MountFs{.fstype = "tmpfs",
                                                .source = "tmpfs",
                                                .target = target,
                                                .flags = kSafeFlags,
                                                .data = "mode=755"}});
    for (const sys::CgroupDir& dir : context.cgroup->dirs) {
        const std::string base = base_of(dir.mount_point);
        const std::string place = fmt::format("{}/{}", target, base);
        if (dir.controllers.empty()) {
            continue;  // the v2 hierarchy beside v1 ones has no controller; peers show none either
        }
        if (!context.cgroup_namespace) {
            steps.push_back(bind_own(dir, place, read_only));
        } else {
            const bool named = dir.controllers.starts_with("name=");
            steps.push_back(
                mount_new("cgroup", place, (named ? "none," : "") + dir.controllers, read_only));
        }
        link_controllers(dir, target, base, steps);
    }
    if (read_only) {
        steps.push_back(
            {.name = fmt::format("remount {} read-only", target),
             .operation = step::Remount{
                 .target = target, .flags = kSafeFlags | MS_RDONLY, .data = {}, .bind = true}});
    }
    return steps;
}

}  // namespace knarr::runtime::native
