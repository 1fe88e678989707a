#include "runtime/native/mounts.h"

#include <algorithm>
#include <array>

#include <linux/mount.h>
#include <linux/sched.h>
#include <sys/mount.h>

#include "core/text.h"
#include "runtime/native/annotations.h"
#include "runtime/native/id_maps.h"

namespace knarr::runtime::native {

namespace {

// Files of procfs that runtimes may cover: they only inform. Anything else below /proc would let a
// bundle forge what the runtime itself writes to (attr/, sys/).
// Source: runc libcontainer, rootfs checks after CVE-2019-16884 and CVE-2019-19921.
constexpr std::array<std::string_view, 11> kCoverableProc = {
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/net/dev",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/crypto/fips_enabled",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
};

// The MS_* flags that a MOUNT_ATTR_* of a recursive option means on a mount that is new and so has
// nothing below it.
constexpr std::array<std::pair<std::uint64_t, unsigned long>, 7> kAttributeFlags = {{
    {MOUNT_ATTR_RDONLY, MS_RDONLY},
    {MOUNT_ATTR_NOSUID, MS_NOSUID},
    {MOUNT_ATTR_NODEV, MS_NODEV},
    {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
    {MOUNT_ATTR_NOATIME, MS_NOATIME},
    {MOUNT_ATTR_STRICTATIME, MS_STRICTATIME},
    {MOUNT_ATTR_NODIRATIME, MS_NODIRATIME},
}};

unsigned long flags_with_recursive(const MountOptions& options) {
    unsigned long flags = options.flags;
    for (const auto& [attribute, flag] : kAttributeFlags) {
        if ((options.rec_clear & attribute) != 0) {
            flags &= ~flag;
        }
        if ((options.rec_set & attribute) != 0) {
            flags |= flag;
        }
    }
    return flags;
}

Result<> check_destination(const std::string& target, const std::string& type) {
    if (target == "/") {
        return fail(Errc::invalid_config, "destination: nothing can be mounted on the root itself");
    }
    if (target == "/proc" || !lies_below(target, "/proc")) {
        return {};
    }
    if (std::ranges::find(kCoverableProc, target) == kCoverableProc.end()) {
        return fail(Errc::invalid_config,
                    "destination: {} of type {} would cover a part of procfs that knarr and the "
                    "kernel's policies write to",
                    printable(target),
                    type.empty() ? "none" : type);
    }
    return {};
}

Result<Step> bind_step(const spec::Mount& mount,
                       const MountOptions& options,
                       const std::string& target,
                       const MountContext& context,
                       std::vector<std::string>& warnings) {
    if (mount.source.empty()) {
        return fail(Errc::invalid_config, "source: a bind mount needs a source");
    }
    step::Bind bind{.source = mount.source,
                    .target = target,
                    .recursive = options.recursive,
                    .set = options.set,
                    .clear = options.clear,
                    .rec_set = options.rec_set,
                    .rec_clear = options.rec_clear,
                    .propagation = options.propagation,
                    .uid_mappings = mount.uid_mappings,
                    .gid_mappings = mount.gid_mappings,
                    .idmap_recursive = options.idmap_recursive};
    if (bind.source.front() != '/') {
        bind.source = context.bundle_directory + "/" + bind.source;
    }
    if (options.idmap && bind.uid_mappings.empty() && bind.gid_mappings.empty() &&
        context.config.linux_) {
        bind.uid_mappings = context.config.linux_->uid_mappings;
        bind.gid_mappings = context.config.linux_->gid_mappings;
        if (bind.uid_mappings.empty()) {
            return fail(Errc::invalid_config,
                        "options: {} needs uidMappings and gidMappings of the mount or of the "
                        "user namespace",
                        options.idmap_recursive ? "ridmap" : "idmap");
        }
    }
    if (bind.uid_mappings.empty() != bind.gid_mappings.empty()) {
        return fail(Errc::invalid_config,
                    "uidMappings and gidMappings: one is given without the other");
    }
    for (const std::string& option : options.only_super) {
        warnings.push_back(
            fmt::format("mount on {}: option {} has no effect on a bind mount", target, option));
    }
    if (!options.data.empty()) {
        warnings.push_back(fmt::format(
            "mount on {}: options \"{}\" have no effect on a bind mount", target, options.data));
    }
    return Step{.name = fmt::format("bind {} on {}", printable(mount.source), printable(target)),
                .operation = std::move(bind)};
}

Step remount_step(const MountOptions& options, const std::string& target) {
    return {.name = fmt::format("remount {}", printable(target)),
            .operation = step::Remount{.target = target,
                                       .flags = flags_with_recursive(options),
                                       .data = options.data,
                                       .bind = options.bind}};
}

Result<Step> filesystem_step(const spec::Mount& mount,
                             const MountOptions& options,
                             const std::string& target,
                             const MountContext& context) {
    if (mount.type.empty()) {
        return fail(Errc::invalid_config,
                    "type: neither a file system type nor the option bind is given");
    }
    if (!mount.uid_mappings.empty() || !mount.gid_mappings.empty() || options.idmap) {
        return fail(Errc::unsupported, "uidMappings: only bind mounts can be ID-mapped");
    }
    if (options.copy_up && mount.type != "tmpfs") {
        return fail(Errc::invalid_config, "options: tmpcopyup needs the type tmpfs");
    }
    step::MountFs made{.fstype = mount.type,
                       .source = mount.source.empty() ? mount.type : mount.source,
                       .target = target,
                       .flags = flags_with_recursive(options),
                       .data = options.data,
                       .propagation = options.propagation,
                       .copy_up = options.copy_up};
    const std::string& label = context.config.linux_ ? context.config.linux_->mount_label : "";
    if (!label.empty() && (mount.type == "tmpfs" || mount.type == "devpts")) {
        made.data += fmt::format(
            "{}{}=\"{}\"", made.data.empty() ? "" : ",", label_option(context.config), label);
    }
    return Step{.name = fmt::format("mount {} on {}", printable(mount.type), printable(target)),
                .operation = std::move(made)};
}

/// What a user namespace cannot mount anew because the namespace that it shows is not its own. The
/// host's is bound in its place, as crun does.
struct Borrowed {
    const char* fstype;
    int owner;  // CLONE_NEW*
    const char* place;
};
constexpr std::array kBorrowed = {Borrowed{"sysfs", CLONE_NEWNET, "/sys"},
                                  Borrowed{"mqueue", CLONE_NEWIPC, "/dev/mqueue"},
                                  Borrowed{"proc", CLONE_NEWPID, "/proc"}};

const Borrowed* find_borrowed(const std::string& fstype, const MountContext& context) {
    const auto found = std::ranges::find(kBorrowed, fstype, &Borrowed::fstype);
    const bool borrowed = found != kBorrowed.end() && context.user_namespace &&
                          (context.own_namespaces & found->owner) == 0;
    return borrowed ? &*found : nullptr;
}

/// Of sysfs nothing may be written, what is mounted below it included: there are the host's cgroups
/// (CVE-2023-25809).
Step borrow_step(const Borrowed& borrowed,
                 const MountOptions& options,
                 const std::string& target,
                 std::vector<std::string>& warnings) {
    std::uint64_t all = options.rec_set;
    if (borrowed.owner == CLONE_NEWNET) {
        all |= MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        if ((options.flags & MS_RDONLY) == 0) {
            warnings.push_back(fmt::format(
                "mount on {}: the host's /sys, read-only: the container has a user namespace and "
                "not its own network",
                printable(target)));
        }
    }
    return {.name = fmt::format("bind {} of the host on {}", borrowed.place, printable(target)),
            .operation = step::Bind{.source = borrowed.place,
                                    .target = target,
                                    .recursive = true,
                                    .set = options.set,
                                    .rec_set = all,
                                    .propagation = options.propagation,
                                    .uid_mappings = {},
                                    .gid_mappings = {}}};
}

/// A devpts with a group that the user namespace does not know is refused whole. The group is there
/// for write(1) alone, and engines pass it always.
void drop_unknown_group(MountOptions& options,
                        const std::string& target,
                        const MountContext& context,
                        std::vector<std::string>& warnings) {
    if (!context.user_namespace || context.joins_user_namespace) {
        return;
    }
    std::string kept;
    for (const std::string_view one : split(options.data, ',')) {
        const auto gid = one.starts_with("gid=") ? parse_number(one.substr(4), UINT32_MAX)
                                                 : std::optional<std::uint64_t>{};
        if (gid &&
            !is_group_mapped(static_cast<std::uint32_t>(*gid), context.id_maps, context.host)) {
            warnings.push_back(
                fmt::format("mount on {}: {} left out: the user namespace has no such group",
                            printable(target),
                            one));
            continue;
        }
        kept += kept.empty() ? "" : ",";
        kept += one;
    }
    options.data = std::move(kept);
}

Result<std::vector<Step>> one_mount(const spec::Mount& mount,
                                    const MountContext& context,
                                    const std::string& target,
                                    MountSteps& out) {
    MountOptions options = KNARR_TRY(parse_mount_options(mount.options), "options");
    KNARR_TRY(check_destination(target, mount.type));
    options.bind |= mount.type == "bind";
    std::vector<Step> steps;
    if (options.remount) {
        steps.push_back(remount_step(options, target));
    } else if (options.bind) {
        steps.push_back(KNARR_TRY(bind_step(mount, options, target, context, out.warnings)));
        out.own_dev |= target == "/dev";
    } else if (const Borrowed* borrowed = find_borrowed(mount.type, context)) {
        steps.push_back(borrow_step(*borrowed, options, target, out.warnings));
    } else if (target == systemd_v1_place(context.config, context.host)) {
        steps.push_back({.name = fmt::format("mount the v1 hierarchy of systemd on {}", target),
                         .operation = step::MountFs{.fstype = "cgroup",
                                                    .source = "cgroup",
                                                    .target = target,
                                                    .flags = options.flags,
                                                    .data = "none,name=systemd,xattr"}});
    } else if (mount.type == "cgroup") {
        return plan_cgroup_mount(context, target, options, out.warnings);
    } else {
        if (mount.type == "devpts") {
            drop_unknown_group(options, target, context, out.warnings);
        }
        steps.push_back(KNARR_TRY(filesystem_step(mount, options, target, context)));
    }
    out.has_dev |= target == "/dev" && !options.remount;
    return steps;
}

}  // namespace

std::string clean_destination(const std::string& destination) {
    std::string out;
    for (const std::string_view part : split(destination, '/')) {
        if (part == "..") {
            out.erase(std::min(out.rfind('/'), out.size()));
        } else if (!part.empty() && part != ".") {
            out += '/';
            out += part;
        }
    }
    return out.empty() ? "/" : out;
}

bool lies_below(std::string_view path, std::string_view root) {
    return root == "/" ||
           (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/'));
}

Result<MountSteps> plan_mounts(const MountContext& context) {
    MountSteps out;
    const auto& mounts = context.config.mounts;
    std::vector<std::string> targets;
    for (const spec::Mount& mount : mounts) {
        targets.push_back(clean_destination(mount.destination));
    }
    // A mount that shows the cgroup waits for the join, which takes the kernel milliseconds: it
    // goes behind the others. Where a later mount lies below it, or on it, order decides, and
    // everything from there on waits.
    bool waiting = false;
    for (std::size_t i = 0; i < mounts.size(); ++i) {
        std::vector<Step> steps =
            KNARR_TRY(one_mount(mounts[i], context, targets[i], out), "mounts[{}]", i);
        const bool shows_cgroup = mounts[i].type == "cgroup" || mounts[i].type == "cgroup2";
        const bool covered = shows_cgroup && std::any_of(targets.begin() + static_cast<long>(i) + 1,
                                                         targets.end(),
                                                         [&](const std::string& later) {
                                                             return lies_below(later, targets[i]) ||
                                                                    lies_below(targets[i], later);
                                                         });
        waiting |= covered;
        std::vector<Step>& side = shows_cgroup || waiting ? out.late : out.early;
        std::ranges::move(steps, std::back_inserter(side));
    }
    return out;
}

}  // namespace knarr::runtime::native
