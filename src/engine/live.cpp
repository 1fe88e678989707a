#include "engine/live.h"

#include <cerrno>

#include "engine/log_store.h"
#include "engine/never_ran.h"
#include "platform/cgroup_freeze.h"
#include "platform/pidfd.h"

namespace knarr::engine {

Result<Live> live_state(const Record& record, LockHolder holder) {
    using enum ContainerState;
    if (record.status == stopped || (record.status == creating && holder == LockHolder::none)) {
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
    const bool frozen = record.status == running && record.cgroup && sys::is_frozen(*record.cgroup);
    return Live{.state = frozen ? paused : record.status, .process = std::move(*process)};
}

bool is_removed(const Context& context, const ContainerId& id) {
    const auto dir = context.root.open_dir(id);
    return !dir && dir.error().code == Errc::not_found;
}

std::string path_of(const Context& context, const std::string& id) {
    return context.root.path() + "/" + id;
}

bool is_end_untold(const Record& record, const Live& live) {
    return record.life && !live.process.valid() && record.status == ContainerState::running;
}

Result<std::optional<Seen>> look(const Context& context, const ContainerId& id) {
    const sys::Fd dir = KNARR_TRY(context.root.open_dir(id));
    const std::string path = path_of(context, id.text());
    auto record = KNARR_TRY(load_record(dir, path));
    LockHolder holder = LockHolder::none;
    if (!record || record->status == ContainerState::creating) {
        const Result<bool> locked = context.root.is_locked(dir);
        if (!locked && locked.error().sys_errno == ENOENT) {
            return look(context, id);  // removed while we looked, and perhaps made anew
        }
        if (!locked) {
            return fail(locked.error());
        }
        holder = *locked ? LockHolder::other : LockHolder::none;
        if (holder == LockHolder::none) {
            // Whoever worked on it may have come to the end between our two looks.
            record = KNARR_TRY(load_record(dir, path));
        }
    }
    if (!record && holder == LockHolder::other) {
        return std::nullopt;
    }
    if (!record) {
        record = Record{};  // killed before its record was written: all that is left is the ID
        record->id = id.text();
    }
    Live live = KNARR_TRY(live_state(*record, holder));
    return Seen{.record = std::move(*record), .live = std::move(live)};
}

Result<Seen> look_at(const Context& context, const ContainerId& id) {
    auto seen = KNARR_TRY(look(context, id));
    if (!seen) {
        return no_such_container(id);
    }
    return std::move(*seen);
}

Result<Held> hold(const Context& context, const ContainerId& id) {
    LockedDir dir = KNARR_TRY(context.root.lock(id));
    auto record = KNARR_TRY(load_record(dir.fd(), path_of(context, id.text())));
    if (!record) {
        return no_such_container(id);
    }
    Live live = KNARR_TRY(live_state(*record, LockHolder::none));
    return Held{.dir = std::move(dir), .record = std::move(*record), .live = std::move(live)};
}

ContainerInfo describe(const Record& record, const Live& live) {
    const bool has_process = live.process.valid();
    const Life none;
    const Life& life = record.life ? *record.life : none;
    const bool made = live.state == ContainerState::stopped && never_ran(record);
    return {
        .id = record.id,
        .name = record.name,
        .state = made ? ContainerState::created : live.state,
        .pid = has_process ? record.pid : 0,
        .bundle = record.bundle,
        .rootfs = record.rootfs,
        .isolation = record.isolation,
        .oci_version = record.oci_version,
        .created = record.created,
        .annotations = record.annotations,
        .owner_uid = record.owner,
        .image = record.image,
        .image_name = image_name_of(record),
        .exit_code = record.exit_code,
        .command = life.command,
        .started = life.started,
        .finished = life.finished,
        .oom_killed = life.oom_killed,
        .stop_signal = life.stop_signal,
        .stop_timeout = std::optional<std::chrono::seconds>(life.stop_seconds),
        .restart = life.restart.policy,
        .restart_count = life.restart.count,
        // Also while it is launched again, and its state is that of one just being made.
        .restarting = is_pending(life) && live.state != ContainerState::running &&
                      live.state != ContainerState::paused,
        .health = {},
        .labels = life.labels,
        .log_dir = life.monitored && life.log.keep ? log_dir_of(record.data_dir) : std::string(),
        .log_details = life.log_details,
        .trouble = {},
        .damage = {},
    };
}

}  // namespace knarr::engine
