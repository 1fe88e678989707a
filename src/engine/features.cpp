#include "engine/features.h"

#include <algorithm>
#include <array>

#include "bundle/seccomp_names.h"
#include "bundle/template.h"
#include "platform/capability.h"
#include "platform/seccomp_probe.h"
#include "runtime/native/feature_names.h"
#include "runtime/native/plan.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

using Names = std::vector<std::string_view>;

constexpr std::array<std::string_view, 6> kHooks{
    "prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"};

// Annotations that change what a container may do: an engine must not let strangers set them.
// A name that ends in "." stands for all that begin so.
constexpr std::array<std::string_view, 3> kUnsafeAnnotations{
    "org.criu.config", "org.systemd.property.", "run.oci."};

void list(spec::JsonWriter& json, std::string_view name, const auto& names) {
    json.key(name).begin_array();
    for (const auto& one : names) {
        json.value(one);
    }
    json.end_array();
}

void enabled(spec::JsonWriter& json, std::string_view name, bool is_enabled) {
    json.key(name).begin_object().member("enabled", is_enabled).end_object();
}

/// Whether this build, on this host, plans a container that `ask` asks `property` of.
template <typename Ask>
bool can_be_planned(const sys::HostFacts& host, std::string_view property, const Ask& ask) {
    bundle::Bundle bundle{.directory = "/",
                          .config = bundle::template_config(),
                          .rootfs = bundle::DirRoot{.path = "/"}};
    bundle.config.process->terminal = false;
    ask(bundle.config);
    const auto plan = runtime::native::make_plan(bundle, host, {.id = "features"});
    // For an ordinary user the template is refused for other reasons.
    return plan || plan.error().message.find(property) == std::string::npos;
}

void write_seccomp(spec::JsonWriter& json, const sys::HostFacts& host) {
    bundle::SeccompNames names = bundle::seccomp_names();
    constexpr const char* kNotify = "SCMP_ACT_NOTIFY";
    if (!can_be_planned(host, kNotify, [&](spec::RuntimeConfig& config) {
            spec::Seccomp& seccomp = config.linux_->seccomp.emplace();
            seccomp.default_action = "SCMP_ACT_ALLOW";
            seccomp.listener_path = "/run/listener";
            seccomp.syscalls.push_back(
                {.names = {"mkdir"}, .action = kNotify, .errno_ret = {}, .args = {}});
        })) {
        std::erase(names.actions, kNotify);
    }
    Names known, supported;
    for (const auto& [name, flag] : names.flags) {
        known.push_back(name);
        if (sys::kernel_takes_seccomp_flag(flag)) {
            supported.push_back(name);
        }
    }
    json.key("seccomp").begin_object().member("enabled", true);
    list(json, "actions", names.actions);
    list(json, "operators", names.operators);
    list(json, "archs", names.architectures);
    list(json, "knownFlags", known);
    list(json, "supportedFlags", supported);
    json.end_object();
}

void write_cgroup(spec::JsonWriter& json) {
    json.key("cgroup").begin_object();
    json.member("v1", true).member("v2", true);
    json.member("systemd", true).member("systemdUser", true).member("rdma", true);
    json.end_object();
}

void write_linux(spec::JsonWriter& json, const sys::HostFacts& host) {
    json.key("linux").begin_object();
    list(json, "namespaces", runtime::native::namespace_names());
    json.key("capabilities").begin_array();
    for (unsigned number = 0; number < sys::kKnownCapabilities; ++number) {
        json.value(sys::capability_name(number));
    }
    json.end_array();
    write_cgroup(json);
    write_seccomp(json, host);
    // Built in; whether the host has them is for `knarr info`.
    enabled(json, "apparmor", true);
    enabled(json, "selinux", true);
    json.key("intelRdt").begin_object().member("enabled", true);
    json.member("schemata", true).member("monitoring", true).end_object();
    json.key("memoryPolicy").begin_object();
    list(json, "modes", runtime::native::memory_policy_modes());
    list(json, "flags", runtime::native::memory_policy_flags());
    json.end_object();
    json.key("mountExtensions").begin_object();
    enabled(json, "idmap", true);
    json.end_object();
    enabled(json, "netDevices", true);
    json.end_object();
}

}  // namespace

std::string features_json(const sys::HostFacts& host,
                          std::string_view version,
                          std::string_view commit) {
    spec::JsonWriter json(spec::JsonLayout::indented);
    json.begin_object().member("ociVersionMin", "1.0.0").member("ociVersionMax", "1.3.0");
    list(json, "hooks", kHooks);
    list(json, "mountOptions", runtime::native::mount_option_names());
    write_linux(json, host);
    json.key("annotations").begin_object();
    json.member("io.knarr.version", version).member("io.knarr.commit", commit);
    json.end_object();
    list(json, "potentiallyUnsafeConfigAnnotations", kUnsafeAnnotations);
    json.end_object();
    return std::move(json).text();
}

}  // namespace knarr::engine
