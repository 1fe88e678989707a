#include "runtime/native/plan.h"

#include <algorithm>

#include <linux/sched.h>
#include <sys/mount.h>

#include "core/text.h"
#include "runtime/native/annotations.h"
#include "runtime/native/cgroup_plan.h"
#include "runtime/native/devices.h"
#include "runtime/native/id_maps.h"
#include "runtime/native/identity.h"
#include "runtime/native/intel_rdt.h"
#include "runtime/native/mounts.h"
#include "runtime/native/namespaces.h"
#include "runtime/native/systemd_unit.h"
#include "runtime/native/user_cgroup.h"

namespace knarr::runtime::native {

namespace {

/// What the parts of the plan share while it is made.
struct Draft {
    const bundle::Bundle& bundle;
    const sys::HostFacts& host;
    const PlanOptions& options;
    const spec::Linux& linux_config;
    Namespaces namespaces = {};
    bool rootless = false;
    LaunchPlan plan = {};

    const spec::RuntimeConfig& config() const { return bundle.config; }
    void add(std::string name, Operation operation) {
        plan.steps.push_back({.name = std::move(name), .operation = std::move(operation)});
    }
    void add_all(std::vector<Step> steps) {
        std::ranges::move(steps, std::back_inserter(plan.steps));
    }
};

Result<> check_process(const spec::Process& process, const PlanOptions& options) {
    if (process.args.empty() || process.args.front().empty()) {
        return fail(Errc::invalid_config, "process.args: empty; there is nothing to run");
    }
    if (!process.cwd.starts_with('/')) {
        return fail(Errc::invalid_config,
                    "process.cwd: \"{}\" is not an absolute path",
                    printable(process.cwd));
    }
    if (process.terminal && !options.console_socket) {
        return fail(Error{.code = Errc::unsupported,
                          .message = "process.terminal: there is nobody to give the terminal to: "
                                     "no console socket was passed",
                          .hint = "pass --console-socket, or set process.terminal to false"});
    }
    if (!process.terminal && options.console_socket) {
        return fail(Error{.code = Errc::invalid_argument,
                          .message = "a console socket was passed, but process.terminal is false",
                          .hint = "leave out --console-socket, or set process.terminal to true"});
    }
    return {};
}

/// What a container without a mount namespace cannot have: it would change mounts of the host's.
/// New mounts below its root are made there, as runc and crun do, and go when it is deleted.
Result<> check_mount_namespace(Draft& draft) {
    if (draft.namespaces.is_own(CLONE_NEWNS)) {
        return {};
    }
    const spec::Linux& linux_config = draft.linux_config;
    draft.plan.mounts_on_host = !draft.config().mounts.empty() ||
                                !linux_config.masked_paths.empty() ||
                                !linux_config.readonly_paths.empty();
    if (draft.plan.mounts_on_host) {
        draft.plan.warnings.emplace_back(
            "mounts: linux.namespaces has no mount namespace, so they are made on the host and "
            "stay until the container is deleted");
    }
    const char* property = !linux_config.rootfs_propagation.empty() ? "linux.rootfsPropagation"
                           : draft.config().root && draft.config().root->readonly ? "root.readonly"
                           : std::holds_alternative<bundle::OverlayRoot>(draft.bundle.rootfs)
                               ? "an image's root file system"
                               : nullptr;
    if (property == nullptr) {
        return {};
    }
    return fail(Error{.code = Errc::unsupported,
                      .message = fmt::format("{}: needs a mount namespace of the container's own: "
                                             "else it would change the host's mounts",
                                             property),
                      .hint = "add {\"type\": \"mount\"} to linux.namespaces"});
}

/// The propagation of the container's tree while it is built. Shared is never used: what is
/// mounted here must not appear on the host.
unsigned long first_propagation(unsigned long root_propagation) {
    // MS_SLAVE lets mounts of the host come in where the bundle wants that ("rslave", "rshared").
    return (root_propagation & MS_PRIVATE) != 0 ? MS_PRIVATE | MS_REC : MS_SLAVE | MS_REC;
}

Result<> plan_root(Draft& draft) {
    const unsigned long propagation =
        KNARR_TRY(parse_propagation(draft.linux_config.rootfs_propagation));
    if (draft.namespaces.is_new(CLONE_NEWTIME)) {
        draft.add("enter a time namespace",
                  step::TimeOffsets{.text = draft.namespaces.time_offsets});
    }
    if (draft.namespaces.is_own(CLONE_NEWNS)) {
        draft.add("set the propagation of /",
                  step::Propagate{.flags = first_propagation(propagation)});
    }
    draft.add("mount the root file system", step::MountRoot{.rootfs = draft.bundle.rootfs});
    return {};
}

void plan_devices(Draft& draft, const MountSteps& mounts, NodeWay way, std::vector<Step>& nodes) {
    if (!mounts.own_dev) {
        draft.add_all(default_devices(draft.linux_config.devices, way));
    }
    draft.add_all(std::move(nodes));
}

Result<> plan_file_systems(Draft& draft) {
    const bool user = draft.namespaces.is_own(CLONE_NEWUSER);
    // One who may or wants to make no cgroup stays in the caller's, and sees that.
    const sys::CgroupPlan callers = cgroup_of_caller(draft.host);
    const bool stays = draft.rootless || draft.options.cgroup_manager == CgroupManager::disabled;
    const sys::CgroupPlan* none = stays ? &callers : nullptr;
    const MountContext context{
        .config = draft.config(),
        .host = draft.host,
        .cgroup = draft.plan.cgroup ? &*draft.plan.cgroup : none,
        .bundle_directory = draft.bundle.directory,
        .cgroup_namespace = draft.namespaces.is_own(CLONE_NEWCGROUP),
        .rootless = draft.rootless,
        .cgroup_is_callers = !draft.plan.cgroup,
        .user_namespace = user || !draft.host.initial_user_namespace,
        .own_namespaces = draft.namespaces.own(),
        .id_maps = draft.namespaces.id_maps ? &*draft.namespaces.id_maps : nullptr,
        .joins_user_namespace = draft.namespaces.is_joined(CLONE_NEWUSER)};
    MountSteps mounts = KNARR_TRY(plan_mounts(context));
    std::ranges::move(mounts.warnings, std::back_inserter(draft.plan.warnings));
    const NodeWay way = user || !draft.host.initial_user_namespace ? NodeWay::bind : NodeWay::make;
    std::vector<Step> nodes = KNARR_TRY(config_devices(draft.linux_config.devices, way));
    if (!mounts.has_dev && draft.namespaces.is_own(CLONE_NEWNS)) {
        // The image's own /dev may be a link or hold anything: no device is made inside an image.
        draft.add("mount tmpfs on /dev",
                  step::MountFs{.fstype = "tmpfs",
                                .source = "tmpfs",
                                .target = "/dev",
                                .flags = MS_NOSUID | MS_STRICTATIME,
                                .data = "mode=755,size=65536k"});
    }
    draft.add_all(std::move(mounts.early));
    const bool unshare = draft.namespaces.is_new(CLONE_NEWCGROUP);
    const bool joins = draft.plan.cgroup.has_value();
    // A mount that waits may be one on /dev or above it: then the devices come after it.
    const bool dev_is_late = std::ranges::any_of(mounts.late, [](const Step& one) {
        const auto* made = std::get_if<step::MountFs>(&one.operation);
        return made != nullptr && made->target == "/dev";
    });
    if (!dev_is_late) {
        plan_devices(draft, mounts, way, nodes);
    }
    if (unshare || joins) {
        draft.add("wait for the cgroup", step::AwaitCgroup{.unshare_namespace = unshare});
    }
    draft.add_all(std::move(mounts.late));
    if (dev_is_late) {
        plan_devices(draft, mounts, way, nodes);
    }
    return {};
}

/// A new tmpfs is empty: what later mounts, devices and the terminal need in it is made first, and
/// it becomes read-only at the end, as with runc and crun.
void plan_read_only(Draft& draft) {
    std::vector<Step> later;
    for (Step& one : draft.plan.steps) {
        auto* made = std::get_if<step::MountFs>(&one.operation);
        if (made != nullptr && (made->fstype == "tmpfs" || made->fstype == "ramfs") &&
            (made->flags & MS_RDONLY) != 0) {
            later.push_back(
                {.name = fmt::format("make {} read-only", printable(made->target)),
                 .operation = step::Remount{
                     .target = made->target, .flags = made->flags, .data = {}, .bind = true}});
            made->flags &= ~static_cast<unsigned long>(MS_RDONLY);
        }
    }
    draft.add_all(std::move(later));
}

Result<> plan_net_devices(Draft& draft) {
    if (draft.linux_config.net_devices.empty()) {
        return {};
    }
    if (!draft.namespaces.is_own(CLONE_NEWNET)) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = "linux.netDevices: needs a network namespace of the "
                                     "container's: there is nowhere to move an interface to",
                          .hint = "add {\"type\": \"network\"} to linux.namespaces"});
    }
    for (const auto& [host_name, device] : draft.linux_config.net_devices) {
        const std::string& name = device.name.empty() ? host_name : device.name;
        const auto same = [&](const NetDevice& one) { return one.name == name; };
        if (!name.ends_with("%d") && std::ranges::any_of(draft.plan.net_devices, same)) {
            return fail(Errc::invalid_config,
                        "linux.netDevices: two interfaces would be called {} in the container",
                        printable(name));
        }
        draft.plan.net_devices.push_back({.host_name = host_name, .name = name});
    }
    draft.add("wait for the network interfaces", step::AwaitNetDevices{});
    return {};
}

void plan_hooks(Draft& draft) {
    const spec::Hooks& hooks = draft.config().hooks;
    draft.plan.hooks = hooks;
    if (!hooks.prestart.empty() || !hooks.create_runtime.empty()) {
        draft.add("wait for the hooks prestart and createRuntime", step::AwaitRuntimeHooks{});
    }
    if (!hooks.create_container.empty()) {
        draft.add("run the hooks createContainer", step::CreateContainerHooks{});
    }
}

Result<> plan_walls(Draft& draft) {
    const spec::Linux& linux_config = draft.linux_config;
    const auto checked = [](const std::string& path, const char* property) -> Result<std::string> {
        if (!path.starts_with('/')) {
            return fail(Errc::invalid_config,
                        "{}: \"{}\" is not an absolute path",
                        property,
                        printable(path));
        }
        return clean_destination(path);
    };
    plan_read_only(draft);
    for (const std::string& path : linux_config.readonly_paths) {
        draft.add(fmt::format("make {} read-only", printable(path)),
                  step::ReadonlyPath{.path = KNARR_TRY(checked(path, "linux.readonlyPaths"))});
    }
    for (const std::string& path : linux_config.masked_paths) {
        draft.add(fmt::format("mask {}", printable(path)),
                  step::MaskPath{.path = KNARR_TRY(checked(path, "linux.maskedPaths"))});
    }
    draft.add_all(KNARR_TRY(plan_sysctls(linux_config, draft.namespaces)));
    if (!draft.config().hostname.empty()) {
        draft.add("set the host name", step::SetHostname{.name = draft.config().hostname});
    }
    if (!draft.config().domainname.empty()) {
        draft.add("set the domain name", step::SetDomainname{.name = draft.config().domainname});
    }
    return {};
}

Result<> plan_pivot(Draft& draft) {
    const bool mounts = draft.namespaces.is_own(CLONE_NEWNS);
    if (draft.config().root && draft.config().root->readonly) {
        draft.add("make the root file system read-only", step::ReadonlyRoot{});
    }
    using Way = step::PivotRoot::Way;
    const Way way = !mounts ? Way::chroot : draft.options.no_pivot ? Way::move : Way::pivot;
    draft.add("change the root", step::PivotRoot{.way = way});
    const unsigned long propagation =
        KNARR_TRY(parse_propagation(draft.linux_config.rootfs_propagation));
    if (propagation != 0) {
        draft.add("set the propagation of the root", step::PropagateRoot{.flags = propagation});
    }
    return {};
}

Result<> plan_process(Draft& draft) {
    const spec::Process& process = *draft.config().process;
    if (!draft.options.no_new_keyring) {
        draft.add("make a session keyring",
                  step::SessionKeyring{.name = "_ses." + draft.options.id});
    }
    if (draft.namespaces.is_new(CLONE_NEWNET)) {
        draft.add("bring up lo", step::LoopbackUp{});
    }
    draft.add_all(KNARR_TRY(plan_process_attributes(draft.config())));
    const bool asked = is_annotated(draft.config(), kKeepGroups);
    const bool denied = draft.namespaces.id_maps && draft.namespaces.id_maps->deny_setgroups;
    const IdMaps* maps = draft.namespaces.id_maps ? &*draft.namespaces.id_maps : nullptr;
    if (!draft.namespaces.is_joined(CLONE_NEWUSER)) {
        KNARR_TRY(check_user_is_mapped(process.user, maps, draft.host));
    }
    draft.plan.identity =
        KNARR_TRY(plan_identity(draft.config(), draft.host, asked || denied, draft.plan.warnings));
    draft.plan.program = {.args = process.args,
                          .env = process.env,
                          .cwd = process.cwd,
                          .preserve_fds = draft.options.listen_fds + draft.options.preserve_fds,
                          .listen_fds = draft.options.listen_fds,
                          .listen_names = draft.options.listen_names};
    return {};
}

/// systemd makes it: here is asked for a scope, and what goes into the files of its cgroup.
Result<> plan_unit_cgroup(Draft& draft) {
    UnitPlan made = KNARR_TRY(plan_unit(draft.config(),
                                        draft.host,
                                        {.id = draft.options.id,
                                         .root = draft.options.root,
                                         .rootless = draft.rootless,
                                         .proc_devices = draft.options.proc_devices}));
    spec::RuntimeConfig config = draft.config();
    (config.linux_ ? *config.linux_ : config.linux_.emplace()).cgroups_path = made.cgroup;
    sys::CgroupPlan cgroup =
        KNARR_TRY(plan_cgroup(config, draft.host, draft.options.id, draft.plan.warnings));
    if (cgroup.dirs.empty()) {
        return fail(Errc::unsupported, "cgroups by systemd: this host has no cgroups mounted");
    }
    draft.plan.cgroup = std::move(cgroup);
    draft.plan.unit = std::move(made.unit);
    return {};
}

/// Nothing holds a limit without a cgroup, and what is asked for is not left out silently.
Result<> stay_in_callers_cgroup(Draft& draft) {
    const auto& resources = draft.linux_config.resources;
    if (resources && asks_for_limits(*resources)) {
        return fail(Error{.code = Errc::invalid_config,
                          .message = "linux.resources: limits are asked for, and cgroups are "
                                     "disabled",
                          .hint = "leave the limits or --cgroup-manager disabled out"});
    }
    if (resources && !resources->devices.empty()) {
        draft.plan.warnings.emplace_back(
            "linux.resources.devices: the rules are not enforced, cgroups are disabled");
    }
    if (!draft.linux_config.cgroups_path.empty()) {
        draft.plan.warnings.emplace_back(
            "linux.cgroupsPath: no cgroup is made, cgroups are disabled");
    }
    return {};
}

/// A caller who is not the host's root gets one where one is delegated to it.
Result<> plan_own_cgroup(Draft& draft) {
    if (draft.options.cgroup_manager == CgroupManager::systemd) {
        return plan_unit_cgroup(draft);
    }
    if (draft.options.cgroup_manager == CgroupManager::disabled) {
        return stay_in_callers_cgroup(draft);
    }
    sys::CgroupPlan cgroup;
    if (draft.rootless) {
        const std::optional<sys::HostFacts> view =
            KNARR_TRY(delegated_host(draft.linux_config, draft.host, draft.plan.warnings));
        if (!view) {
            return {};
        }
        spec::RuntimeConfig config = draft.config();
        spec::Linux& part = config.linux_ ? *config.linux_ : config.linux_.emplace();
        if (part.cgroups_path.empty()) {
            part.cgroups_path = "knarr-" + draft.options.id;  // relative: in what is ours
        }
        cgroup = KNARR_TRY(plan_cgroup(config, *view, draft.options.id, draft.plan.warnings));
    } else {
        cgroup = KNARR_TRY(
            plan_cgroup(draft.config(), draft.host, draft.options.id, draft.plan.warnings));
    }
    if (!cgroup.dirs.empty()) {
        draft.plan.cgroup = std::move(cgroup);
    }
    return {};
}

Result<LaunchPlan> plan_all(const bundle::Bundle& bundle,
                            const sys::HostFacts& host,
                            const PlanOptions& options) {
    static const spec::Linux kNothing;
    Draft draft{.bundle = bundle,
                .host = host,
                .options = options,
                .linux_config = bundle.config.linux_ ? *bundle.config.linux_ : kNothing};
    draft.rootless = options.rootless.value_or(host.uid != 0 || !host.initial_user_namespace);
    draft.plan.id = options.id;
    KNARR_TRY(check_annotations(bundle.config, host));
    draft.namespaces = KNARR_TRY(plan_namespaces(bundle.config, host));
    KNARR_TRY(check_mount_namespace(draft));
    KNARR_TRY(plan_own_cgroup(draft));
    draft.plan.resctrl = KNARR_TRY(plan_intel_rdt(bundle.config, host, options.id));

    // The child's steps. What needs the host's files or an unlimited process comes first.
    KNARR_TRY(plan_root(draft));
    KNARR_TRY(plan_file_systems(draft));
    KNARR_TRY(plan_net_devices(draft));
    plan_hooks(draft);
    if (bundle.config.process->terminal) {
        draft.add("open a terminal",
                  step::Console{.size = bundle.config.process->console_size,
                                .on_dev_console = true,
                                .owner = bundle.config.process->user.uid});
    }
    KNARR_TRY(plan_walls(draft));
    KNARR_TRY(plan_pivot(draft));
    KNARR_TRY(plan_process(draft));

    draft.plan.new_namespaces = draft.namespaces.created & ~(CLONE_NEWCGROUP | CLONE_NEWTIME);
    draft.plan.joins = std::move(draft.namespaces.joins);
    draft.plan.id_maps = std::move(draft.namespaces.id_maps);
    return std::move(draft.plan);
}

}  // namespace

Result<LaunchPlan> make_plan(const bundle::Bundle& bundle,
                             const sys::HostFacts& host,
                             const PlanOptions& options) {
    if (bundle.config.process) {
        KNARR_TRY(check_process(*bundle.config.process, options));
        return plan_all(bundle, host, options);
    }
    // Source: runtime-spec config.md "process": `start` needs it, `create` does not. With nothing
    // to run, the gate's other side fails.
    bundle::Bundle idle = bundle;
    idle.config.process.emplace().cwd = "/";
    return plan_all(idle, host, options);
}

}  // namespace knarr::runtime::native
