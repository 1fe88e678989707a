#include "engine/info.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "image/platform.h"
#include "layer/driver.h"
#include "platform/file.h"
#include "rpc/systemd.h"
#include "runtime/runtime.h"

namespace knarr::engine {

namespace {

Feature available(std::string name) {
    return {.name = std::move(name), .available = true, .reason = {}};
}
Feature missing(std::string name, std::string reason) {
    return {.name = std::move(name), .available = false, .reason = std::move(reason)};
}

bool exists(const std::string& path) {
    return sys::open_path(path, O_PATH).has_value();
}

std::string read_line(const std::string& path) {
    constexpr std::size_t kMax = 64 * size::kKiB;
    return sys::read_file(path, kMax).value_or("");
}

Feature namespace_feature(const HostRoots& roots, const std::string& name) {
    const std::string label = name + "_namespace";
    return exists(roots.proc + "/self/ns/" + name)
               ? available(label)
               : missing(label, "the kernel is built without it");
}

Feature user_namespaces(const HostRoots& roots) {
    const char* name = "user_namespace";
    if (!exists(roots.proc + "/self/ns/user")) {
        return missing(name, "the kernel is built without it");
    }
    std::string most = read_line(roots.proc + "/sys/user/max_user_namespaces");
    if (!most.empty() && most.back() == '\n') {
        most.pop_back();
    }
    return most == "0" ? missing(name, "switched off: sysctl user.max_user_namespaces is 0")
                       : available(name);
}

Feature seccomp(const HostRoots& roots) {
    return exists(roots.proc + "/sys/kernel/seccomp/actions_avail")
               ? available("seccomp")
               : missing("seccomp", "the kernel is built without CONFIG_SECCOMP_FILTER");
}

Feature overlay(const HostRoots& roots) {
    const std::string known = read_line(roots.proc + "/filesystems");
    return known.find("\toverlay\n") != std::string::npos
               ? available("overlay")
               : missing("overlay", "not in the kernel now; modprobe overlay may load it");
}

Feature kvm(const HostRoots& roots) {
    const std::string path = roots.dev + "/kvm";
    const auto device = sys::open_path(path, O_RDWR);
    if (device) {
        return available("kvm");
    }
    switch (device.error().sys_errno) {
        case ENOENT:
            return missing("kvm",
                           path +
                               " is not there: load the module kvm_intel or kvm_amd, or switch "
                               "virtualisation on in the firmware or the hypervisor");
        case EACCES:
        case EPERM:
            return missing("kvm", path + " may not be opened for writing: join its group");
        default:
            return missing("kvm", device.error().message);
    }
}

/// The manager that --systemd-cgroup of this caller would speak with.
Feature systemd_cgroup(const sys::HostFacts& facts) {
    const bool root = facts.uid == 0 && facts.initial_user_namespace;
    auto why = rpc::why_no_systemd(root ? rpc::SystemdBus::system : rpc::SystemdBus::user);
    if (!why && !root && facts.cgroup_layout != sys::CgroupLayout::v2) {
        why = "without root it needs cgroup v2";
    }
    return why ? missing("systemd_cgroup", *why) : available("systemd_cgroup");
}

Feature isolation_kind(Isolation isolation, const std::vector<Feature>& features) {
    std::string name(knarr::name_of(isolation));
    const auto kind = runtime::select(isolation);
    if (!kind) {
        return missing(std::move(name), kind.error().message);
    }
    for (const Feature& feature : features) {
        const bool needed = feature.name == "pid_namespace" || feature.name == "mnt_namespace";
        if (needed && !feature.available) {
            return missing(std::move(name), feature.name + ": " + feature.reason);
        }
    }
    return available(std::move(name));
}

}  // namespace

std::string_view name_of(sys::CgroupLayout layout) {
    static constexpr std::array<std::string_view, 4> kNames{"none", "v1", "hybrid", "v2"};
    return kNames[static_cast<std::size_t>(layout)];
}

HostReport report_host(const sys::HostFacts& facts, const HostRoots& roots) {
    HostReport report;
    report.architecture = image::host_platform(facts.machine).architecture;
    report.machine = facts.machine;
    report.kernel = facts.kernel_release;
    report.cgroup_layout = facts.cgroup_layout;
    for (const sys::CgroupHierarchy& hierarchy : facts.cgroups) {
        for (const std::string& controller : hierarchy.controllers) {
            if (!controller.starts_with("name=")) {
                report.cgroup_controllers.push_back(controller);
            }
        }
    }
    auto& controllers = report.cgroup_controllers;
    std::sort(controllers.begin(), controllers.end());
    controllers.erase(std::unique(controllers.begin(), controllers.end()), controllers.end());

    for (const char* name : {"pid", "mnt", "net", "ipc", "uts", "cgroup", "time"}) {
        report.features.push_back(namespace_feature(roots, name));
    }
    report.features.push_back(user_namespaces(roots));
    report.features.push_back(seccomp(roots));
    report.features.push_back(overlay(roots));
    report.features.push_back(kvm(roots));
    report.features.push_back(facts.apparmor ? available("apparmor")
                                             : missing("apparmor", "not active"));
    report.features.push_back(facts.selinux ? available("selinux")
                                            : missing("selinux", "not active"));
    report.features.push_back(systemd_cgroup(facts));
    for (const Isolation isolation :
         {Isolation::native, Isolation::microvm, Isolation::wasm, Isolation::host}) {
        report.isolation.push_back(isolation_kind(isolation, report.features));
    }
    return report;
}

namespace {

/// The data root need not be there yet: the file system on which it will be decides.
Result<sys::Fd> nearest_dir(std::string path) {
    auto dir = sys::open_path(path, O_RDONLY | O_DIRECTORY);
    while (!dir && dir.error().sys_errno == ENOENT && path.size() > 1) {
        path.resize(std::max<std::size_t>(path.rfind('/'), 1));
        dir = sys::open_path(path, O_RDONLY | O_DIRECTORY);
    }
    return dir;
}

}  // namespace

Feature erofs_layers(const std::string& data_root) {
    const char* name = "erofs_layers";
    const auto dir = nearest_dir(data_root);
    if (!dir) {
        return missing(name, dir.error().message);
    }
    const auto why = layer::why_no_erofs(*dir);
    return !why   ? missing(name, why.error().message)
           : *why ? missing(name, (*why)->message)
                  : available(name);
}

Result<std::string> snapshot_driver(std::string_view wanted, const std::string& data_root) {
    if (!wanted.empty()) {
        return std::string(wanted);
    }
    const auto dir = nearest_dir(data_root);
    return std::string(
        layer::name_of(dir ? KNARR_TRY(layer::default_driver(*dir)) : layer::Driver::dir));
}

}  // namespace knarr::engine
