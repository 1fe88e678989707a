#include "bundle/template.h"

#include <algorithm>

#include "bundle/defaults.h"

namespace knarr::bundle {

namespace {

constexpr std::uint64_t kOpenFiles = 1024;

spec::Namespace fresh(spec::NamespaceType type) {
    return {.type = type, .path = {}};
}

spec::Mount* mount_at(spec::RuntimeConfig& config, std::string_view destination) {
    const auto at = std::ranges::find(config.mounts, destination, &spec::Mount::destination);
    return at == config.mounts.end() ? nullptr : &*at;
}

}  // namespace

spec::RuntimeConfig template_config() {
    using enum spec::NamespaceType;
    spec::RuntimeConfig config;
    config.oci_version = "1.3.0";
    spec::Process& process = config.process.emplace();
    process.terminal = true;
    process.args = {"sh"};
    process.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "TERM=xterm"};
    process.cwd = "/";
    spec::Capabilities& caps = process.capabilities.emplace();
    // Not the ambient set, which runc 1.1 fills too: it would hand them to every program of a user.
    for (auto* set : {&caps.bounding, &caps.effective, &caps.permitted}) {
        *set = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
    }
    process.rlimits = {{.type = "RLIMIT_NOFILE", .soft = kOpenFiles, .hard = kOpenFiles}};
    process.no_new_privileges = true;
    config.root = spec::Root{.path = "rootfs", .readonly = true};
    config.hostname = "knarr";
    config.mounts = default_mounts();
    spec::Linux& part = config.linux_.emplace();
    part.resources.emplace().devices = {
        {.allow = false, .type = 'a', .major = {}, .minor = {}, .access = "rwm"}};
    part.namespaces = {
        fresh(pid), fresh(network), fresh(ipc), fresh(uts), fresh(mount), fresh(cgroup)};
    part.masked_paths = default_masked_paths();
    part.readonly_paths = default_readonly_paths();
    return config;
}

spec::RuntimeConfig rootless_template_config(std::uint32_t uid, std::uint32_t gid) {
    using enum spec::NamespaceType;
    spec::RuntimeConfig config = template_config();
    spec::Linux& part = *config.linux_;
    part.resources.reset();  // there may be no cgroup to limit
    part.namespaces = {
        fresh(pid), fresh(ipc), fresh(uts), fresh(mount), fresh(cgroup), fresh(user)};
    part.uid_mappings = {{.container_id = 0, .host_id = uid, .size = 1}};
    part.gid_mappings = {{.container_id = 0, .host_id = gid, .size = 1}};
    if (spec::Mount* pts = mount_at(config, "/dev/pts")) {
        std::erase(pts->options, "gid=5");  // not mapped
    }
    if (spec::Mount* sys = mount_at(config, "/sys")) {
        // A new sysfs needs a network namespace of one's own.
        sys->type = "none";
        sys->source = "/sys";
        sys->options = {"rbind", "nosuid", "noexec", "nodev", "ro"};
    }
    return config;
}

}  // namespace knarr::bundle
