#include "runtime/native/cgroup_plan.h"

#include <algorithm>

#include "core/text.h"
#include "runtime/native/devices.h"

namespace knarr::runtime::native {

namespace {

constexpr std::uint64_t kCapSysAdmin = 1ULL << 21U;

// Enabled on v2 where the host has them, so that every container has its statistics.
constexpr const char* kUsualControllers[] = {"cpu", "io", "memory", "pids"};

std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) {
        out += (out.empty() ? "" : ",") + part;
    }
    return out;
}

/// linux.cgroupsPath checked; it may be relative still.
Result<std::string> checked_path(const std::string& path, const std::string& id) {
    if (path.empty()) {
        return "/" + id;  // as runc; no parent of our own: nothing is left when it is removed
    }
    const auto parts = split(path, '/');
    if (std::ranges::find(parts, "..") != parts.end() ||
        path.find_first_of(std::string_view("\0\n", 2)) != std::string::npos) {
        return fail(Errc::invalid_config,
                    "linux.cgroupsPath: \"{}\" holds \"..\" or a control character",
                    printable(path));
    }
    if (std::ranges::count(path, ':') == 2 && parts.size() == 1) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("linux.cgroupsPath: \"{}\" is systemd's form "
                                                 "(slice:prefix:name), and cgroups are made "
                                                 "without systemd here",
                                                 printable(path)),
                          .hint = "give --systemd-cgroup, or have the caller use its cgroupfs "
                                  "driver"});
    }
    std::string clean;
    for (const std::string_view part : parts) {
        if (!part.empty() && part != ".") {
            clean += '/';
            clean += part;
        }
    }
    if (clean.empty()) {
        return fail(Errc::invalid_config,
                    "linux.cgroupsPath: \"{}\" is the root cgroup, which cannot be limited",
                    printable(path));
    }
    return path.front() == '/' ? clean : clean.substr(1);
}

std::string path_in(const sys::CgroupHierarchy& hierarchy, const std::string& path) {
    if (path.front() == '/') {
        return path;
    }
    return (hierarchy.own_path == "/" ? "" : hierarchy.own_path) + "/" + path;
}

Result<> write_devices(const std::vector<spec::DeviceRule>& config,
                       const sys::HostFacts& host,
                       sys::CgroupPlan& plan,
                       CgroupWriter& writer,
                       std::vector<std::string>& warnings) {
    std::vector<sys::CgroupDeviceRule> rules = KNARR_TRY(device_rules(config));
    for (std::size_t i = 0; i < config.size(); ++i) {
        if (config[i].allow && has_letter_a(config[i])) {
            warnings.push_back(fmt::format(
                "linux.resources.devices[{}]: access: \"{}\": \"a\" allows nothing; accesses are "
                "r, w and m",
                i,
                printable(config[i].access)));
        }
    }
    if ((host.effective_caps & kCapSysAdmin) == 0 || !host.initial_user_namespace) {
        // Neither list nor program can be changed from here, and no node beyond the host's own can
        // be made or opened in a user namespace.
        if (!config.empty()) {
            warnings.emplace_back(
                "linux.resources.devices: not applied, which takes CAP_SYS_ADMIN in the initial "
                "user namespace");
        }
        return {};
    }
    if (plan.v2) {
        plan.device_rules = std::move(rules);
        return {};
    }
    for (sys::CgroupWrite& write : KNARR_TRY(device_writes(rules))) {
        if (config.empty() && host.hierarchy_of("devices") == nullptr) {
            warnings.emplace_back(
                "no cgroup hierarchy with the devices controller is mounted: device access is not "
                "restricted");
            return {};
        }
        KNARR_TRY(writer.add("devices", std::move(write)));
    }
    return {};
}

}  // namespace

Result<> CgroupWriter::add(const char* controller, sys::CgroupWrite write) {
    const sys::CgroupHierarchy* hierarchy = host_.hierarchy_of(controller);
    // "cgroup.freeze" and the like belong to no controller.
    if (plan_.v2 && (hierarchy != nullptr || std::string_view(controller) == "cgroup")) {
        if (hierarchy != nullptr &&
            std::ranges::find(plan_.enable, controller) == plan_.enable.end()) {
            plan_.enable.emplace_back(controller);
        }
        plan_.dirs.front().writes.push_back(std::move(write));
        return {};
    }
    if (!plan_.v2 && hierarchy != nullptr && !hierarchy->v2) {
        const std::string name = joined(hierarchy->controllers);
        const auto dir = std::ranges::find(plan_.dirs, name, &sys::CgroupDir::controllers);
        if (dir != plan_.dirs.end()) {
            dir->writes.push_back(std::move(write));
            return {};
        }
    }
    return fail(
        Error{.code = Errc::unsupported,
              .message = fmt::format("{}: this host has no mounted cgroup hierarchy with the "
                                     "{} controller",
                                     write.property,
                                     controller),
              .hint = "mount the hierarchy, or leave the property out"});
}

Result<> write_resources(const spec::Resources& resources,
                         CgroupWriter& writer,
                         std::vector<std::string>& warnings) {
    if (resources.memory) {
        KNARR_TRY(write_memory(*resources.memory, writer, warnings));
    }
    if (resources.cpu) {
        KNARR_TRY(write_cpu(*resources.cpu, writer));
    }
    if (resources.pids_limit) {
        KNARR_TRY(write_pids(*resources.pids_limit, writer));
    }
    if (resources.block_io) {
        KNARR_TRY(write_block_io(*resources.block_io, writer));
    }
    KNARR_TRY(write_hugepages(resources.hugepage_limits, writer));
    if (resources.network) {
        KNARR_TRY(write_network(*resources.network, writer));
    }
    KNARR_TRY(write_rdma(resources.rdma, writer));
    return write_unified(resources.unified, writer);
}

Result<sys::CgroupPlan> plan_cgroup(const spec::RuntimeConfig& config,
                                    const sys::HostFacts& host,
                                    const std::string& id,
                                    std::vector<std::string>& warnings) {
    static const spec::Linux kNothing;
    const spec::Linux& linux_config = config.linux_ ? *config.linux_ : kNothing;
    const std::string path = KNARR_TRY(checked_path(linux_config.cgroups_path, id));
    sys::CgroupPlan plan{.dirs = {},
                         .v2 = host.cgroup_layout == sys::CgroupLayout::v2,
                         .enable = {},
                         .device_rules = {},
                         .named_by_id = linux_config.cgroups_path.empty()};
    for (const sys::CgroupHierarchy& one : host.cgroups) {
        if (plan.v2 && !one.v2) {
            continue;
        }
        plan.dirs.push_back({.controllers = one.v2 ? "" : joined(one.controllers),
                             .mount_point = one.mount_point,
                             .path = path_in(one, path),
                             .writes = {}});
    }
    if (plan.v2) {
        for (const char* controller : kUsualControllers) {
            if (host.hierarchy_of(controller) != nullptr) {
                plan.enable.emplace_back(controller);
            }
        }
    }
    CgroupWriter writer(host, plan);
    static const spec::Resources kNoResources;
    const spec::Resources& resources =
        linux_config.resources ? *linux_config.resources : kNoResources;
    KNARR_TRY(check_bounds(resources));
    KNARR_TRY(write_resources(resources, writer, warnings));
    if (!plan.dirs.empty()) {
        KNARR_TRY(write_devices(resources.devices, host, plan, writer, warnings));
    } else if (!resources.devices.empty()) {
        warnings.emplace_back("linux.resources.devices: no cgroup hierarchy is mounted");
    }
    return plan;
}

}  // namespace knarr::runtime::native
