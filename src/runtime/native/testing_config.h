#pragma once
// Configurations and hosts for the tests of this room.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "runtime/native/plan.h"

namespace knarr::runtime::native::testing_config {

/// A v1 host as Debian 10 had it, with cpu and cpuacct on one hierarchy.
inline sys::HostFacts v1_host() {
    sys::HostFacts host;
    host.kernel_release = "6.18.44";
    host.kernel_major = 6;
    host.kernel_minor = 18;
    host.machine = "x86_64";
    host.cgroup_layout = sys::CgroupLayout::v1;
    const auto add = [&](std::vector<std::string> controllers, const std::string& base) {
        host.cgroups.push_back({.controllers = std::move(controllers),
                                .mount_point = "/sys/fs/cgroup/" + base,
                                .own_path = "/",
                                .v2 = false});
    };
    add({"name=systemd"}, "systemd");
    add({"memory"}, "memory");
    add({"cpu", "cpuacct"}, "cpu,cpuacct");
    add({"cpuset"}, "cpuset");
    add({"pids"}, "pids");
    add({"devices"}, "devices");
    add({"blkio"}, "blkio");
    add({"freezer"}, "freezer");
    add({"hugetlb"}, "hugetlb");
    add({"net_cls", "net_prio"}, "net_cls,net_prio");
    host.effective_caps = host.bounding_caps = 0x1ffffffffff;
    return host;
}

inline sys::HostFacts hybrid_host() {
    sys::HostFacts host = v1_host();
    host.cgroup_layout = sys::CgroupLayout::hybrid;
    host.cgroups.push_back(
        {.controllers = {}, .mount_point = "/sys/fs/cgroup/unified", .own_path = "/", .v2 = true});
    return host;
}

inline sys::HostFacts v2_host() {
    sys::HostFacts host = v1_host();
    host.cgroup_layout = sys::CgroupLayout::v2;
    host.cgroups = {{.controllers = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma"},
                     .mount_point = "/sys/fs/cgroup",
                     .own_path = "/user.slice",
                     .v2 = true}};
    return host;
}

inline spec::Namespace new_namespace(spec::NamespaceType type) {
    return {.type = type, .path = {}};
}

/// What podman writes for `podman run`, shortened.
inline bundle::Bundle usual_bundle() {
    bundle::Bundle bundle;
    bundle.directory = "/bundles/web";
    bundle.rootfs = bundle::DirRoot{.path = "/bundles/web/rootfs"};
    spec::RuntimeConfig& config = bundle.config;
    config.oci_version = "1.2.0";
    config.root = spec::Root{.path = "rootfs", .readonly = false};
    config.hostname = "web";
    spec::Process process;
    process.args = {"/bin/server", "--port=80"};
    process.env = {"PATH=/bin", "HOME=/root"};
    process.cwd = "/srv";
    process.user.uid = 1000;
    process.user.gid = 1000;
    process.user.additional_gids = {5};
    process.user.umask = 022;
    process.no_new_privileges = true;
    process.oom_score_adj = 100;
    process.rlimits = {{.type = "RLIMIT_NOFILE", .soft = 1024, .hard = 4096}};
    process.capabilities = spec::Capabilities{.bounding = {"CAP_CHOWN", "CAP_NET_BIND_SERVICE"},
                                              .effective = {"CAP_NET_BIND_SERVICE"},
                                              .inheritable = {"CAP_CHOWN", "CAP_NET_BIND_SERVICE"},
                                              .permitted = {"CAP_NET_BIND_SERVICE"},
                                              .ambient = {"CAP_NET_BIND_SERVICE"}};
    config.process = process;
    const auto mount = [&](const char* type, const char* target, std::vector<std::string> options) {
        config.mounts.push_back({.destination = target,
                                 .type = type,
                                 .source = type,
                                 .options = std::move(options),
                                 .uid_mappings = {},
                                 .gid_mappings = {}});
    };
    mount("proc", "/proc", {"nosuid", "noexec", "nodev"});
    mount("tmpfs", "/dev", {"nosuid", "strictatime", "mode=755", "size=65536k"});
    mount("sysfs", "/sys", {"nosuid", "noexec", "nodev", "ro"});
    mount("cgroup", "/sys/fs/cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"});
    mount("devpts", "/dev/pts", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"});
    config.mounts.push_back({.destination = "/data",
                             .type = "bind",
                             .source = "/srv/data",
                             .options = {"rbind", "rro", "nosuid", "rprivate"},
                             .uid_mappings = {},
                             .gid_mappings = {}});
    spec::Linux linux_config;
    using Type = spec::NamespaceType;
    for (const Type type :
         {Type::pid, Type::network, Type::ipc, Type::uts, Type::mount, Type::cgroup}) {
        linux_config.namespaces.push_back(new_namespace(type));
    }
    linux_config.masked_paths = {"/proc/kcore"};
    linux_config.readonly_paths = {"/proc/sys"};
    linux_config.sysctl = {{"net.ipv4.ping_group_range", "0 0"}};
    linux_config.resources = spec::Resources{};
    linux_config.resources->memory = spec::MemoryLimits{};
    linux_config.resources->memory->limit = 64 << 20;
    linux_config.resources->pids_limit = 100;
    config.linux_ = linux_config;
    return bundle;
}

inline PlanOptions usual_options() {
    return {.id = "web"};
}

/// The plan, or a test failure with the error's message.
inline LaunchPlan must_plan(const bundle::Bundle& bundle,
                            const sys::HostFacts& host,
                            const PlanOptions& options = usual_options()) {
    Result<LaunchPlan> plan = make_plan(bundle, host, options);
    if (!plan) {
        ADD_FAILURE() << plan.error().message;
        return {};
    }
    return *std::move(plan);
}

/// The error of a plan that must not be made.
inline Error must_fail(const bundle::Bundle& bundle,
                       const sys::HostFacts& host = v1_host(),
                       const PlanOptions& options = usual_options()) {
    Result<LaunchPlan> plan = make_plan(bundle, host, options);
    if (plan) {
        ADD_FAILURE() << "a plan was made";
        return {};
    }
    return std::move(plan).error();
}

/// The index of the first step of type T, or -1.
template <typename T>
int first_of(const LaunchPlan& plan) {
    const auto found = std::ranges::find_if(
        plan.steps, [](const Step& one) { return std::holds_alternative<T>(one.operation); });
    return found == plan.steps.end() ? -1 : static_cast<int>(found - plan.steps.begin());
}

template <typename T>
std::vector<T> all_of(const std::vector<Step>& steps) {
    std::vector<T> out;
    for (const Step& one : steps) {
        if (const T* operation = std::get_if<T>(&one.operation)) {
            out.push_back(*operation);
        }
    }
    return out;
}

}  // namespace knarr::runtime::native::testing_config
