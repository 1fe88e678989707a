#include "engine/live.h"

#include "platform/file.h"
#include "platform/pidfd.h"

namespace knarr::engine {

bool is_frozen(const sys::CgroupPlan& cgroup) {
    for (const sys::CgroupDir& dir : cgroup.dirs) {
        // The hybrid layout has a v2 directory without controllers, which can freeze too.
        const bool v1_freezer = dir.controllers == "freezer";
        if (!v1_freezer && !cgroup.v2 && !dir.controllers.empty()) {
            continue;
        }
        const std::string path =
            dir.mount_point + dir.path + (v1_freezer ? "/freezer.state" : "/cgroup.events");
        const auto text = sys::read_file(path, 4096);
        // v1: THAWED, FREEZING or FROZEN; v2: lines of "populated N" and "frozen N".
        if (text && (text->starts_with("FRO") || text->starts_with("FREEZ") ||
                     text->find("frozen 1") != std::string::npos)) {
            return true;
        }
    }
    return false;
}

Result<Live> live_state(const Record& record, Worker worker) {
    using enum ContainerState;
    if (record.status == stopped || (record.status == creating && worker == Worker::none)) {
        return Live{};
    }
    if (record.status == creating) {
        return Live{.state = creating, .process = {}};
    }
    auto process =
        KNARR_TRY(sys::open_process(record.pid, record.pid_start_ticks), "state of {}", record.id);
    if (!process) {
        return Live{};
    }
    const bool frozen = record.status == running && record.cgroup && is_frozen(*record.cgroup);
    return Live{.state = frozen ? paused : record.status, .process = std::move(*process)};
}

ContainerInfo describe(const Record& record, const Live& live) {
    const bool has_process = live.process.valid();
    return {
        .id = record.id,
        .name = record.name,
        .state = live.state,
        .pid = has_process ? record.pid : 0,
        .bundle = record.bundle,
        .rootfs = record.rootfs,
        .isolation = record.isolation,
        .oci_version = record.oci_version,
        .created = record.created,
        .annotations = record.annotations,
        .owner_uid = record.owner,
        .image = record.image,
        .exit_code = record.exit_code,
        .damage = {},
    };
}

}  // namespace knarr::engine
