#include "engine/new_record.h"

#include <variant>

#include <sched.h>
#include <unistd.h>

#include "core/clock.h"
#include "engine/destroy.h"
#include "engine/live.h"

namespace knarr::engine {

namespace {

std::string rootfs_path(const bundle::RootFs& rootfs) {
    if (const auto* dir = std::get_if<bundle::DirRoot>(&rootfs)) {
        return dir->path;
    }
    return std::get<bundle::OverlayRoot>(rootfs).merged;
}

}  // namespace

sys::CgroupPlan place_only(const sys::CgroupPlan& plan) {
    sys::CgroupPlan place{.dirs = {}, .v2 = plan.v2, .enable = {}, .device_rules = {}};
    for (const sys::CgroupDir& dir : plan.dirs) {
        place.dirs.push_back({.controllers = dir.controllers,
                              .mount_point = dir.mount_point,
                              .path = dir.path,
                              .writes = {}});
    }
    return place;
}

Record make_record(const NewContainer& wanted, const runtime::LaunchPlan& plan) {
    Record record{
        .id = wanted.id.text(),
        .name = wanted.name,
        .oci_version = wanted.bundle.config.oci_version,
        .bundle = wanted.bundle.directory,
        .rootfs = rootfs_path(wanted.bundle.rootfs),
        .config_file = wanted.config_file,
        .isolation = wanted.bundle.isolation,
        .created = wanted.before ? wanted.before->created : format_time(system_clock().wall()),
        .annotations = wanted.bundle.config.annotations,
        .owner = getuid(),
        .own_pid_namespace = (plan.new_namespaces & CLONE_NEWPID) != 0,
        .cgroup = {},
        .unit = {},
        .resctrl = {},
        .poststart = plan.hooks.poststart,
        .poststop = plan.hooks.poststop,
        .image = wanted.image,
        .data_dir = wanted.data_dir,
        .auto_remove = wanted.auto_remove,
        .mounts_on_host = plan.mounts_on_host,
        .no_new_keyring = wanted.no_new_keyring,
        .exit_code = wanted.before ? wanted.before->exit_code : std::nullopt,
        .life = wanted.life,
        .boot = boot_id(),
    };
    if (plan.cgroup) {
        record.cgroup = place_only(*plan.cgroup);
    }
    if (plan.unit) {
        record.unit = plan.unit->scope.unit;
    }
    if (plan.resctrl) {
        record.resctrl = sys::ResctrlGroup{.mount_point = plan.resctrl->mount_point,
                                           .name = plan.resctrl->name,
                                           .owned = plan.resctrl->owned,
                                           .monitor = plan.resctrl->monitor,
                                           .expected = {},
                                           .schemata = {}};
    }
    return record;
}

Result<LockedDir> take_id(const Context& context, const ContainerId& id) {
    return context.root.make(id, [&](const LockedDir& found) -> Result<bool> {
        const auto record = load_record(found.fd(), path_of(context, id.text()));
        if (!record || (*record && (*record)->status != ContainerState::creating)) {
            return false;  // a damaged one is somebody's: only delete --force takes it
        }
        if (*record) {
            KNARR_TRY(clear_leftover(context, **record));
        }
        return true;
    });
}

}  // namespace knarr::engine
