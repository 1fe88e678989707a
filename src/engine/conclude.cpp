#include "engine/conclude.h"

#include <csignal>

#include "core/clock.h"
#include "core/text.h"
#include "engine/destroy.h"
#include "engine/ending.h"
#include "engine/event_log.h"
#include "engine/live.h"
#include "platform/cgroup.h"

namespace knarr::engine {

void undo(const Context& context, LockedDir dir, const Record& record) {
    const Result<> gone = destroy(context, dir, record, AnonymousVolumes::go);
    if (!gone) {
        context.warn(gone.error().message);
    }
}

void tell_if_out_of_memory(const Context& context, const Record& record, int code) {
    constexpr int kKilled = 128 + SIGKILL;
    const std::string text = code == kKilled ? out_of_memory_text(record) : std::string();
    if (!text.empty()) {
        context.warn(text);
    }
}

Result<> conclude(const Context& context, const NewContainer& wanted, Record record, int code) {
    Result<LockedDir> dir = context.root.lock(wanted.id);
    if (!dir) {
        return dir.error().code == Errc::not_found ? Result<>{} : fail(std::move(dir).error());
    }
    const auto now = KNARR_TRY(load_record(dir->fd(), path_of(context, record.id)));
    if (!now || !is_same_run(*now, record)) {
        return {};  // another container took the ID
    }
    record.name = now->name;  // it may have been renamed meanwhile
    note_end(record, code, format_time(system_clock().wall()));
    note_end_event(context, record);
    if (wanted.auto_remove) {
        Result<> gone = destroy(context, *dir, record);
        if (gone) {
            return {};
        }
        KNARR_TRY(end_run(context, *dir, record));
        if (!record.life) {
            return gone;
        }
        context.warn(gone.error().message);  // recover() removes it
        return {};
    }
    if (record.cgroup) {
        // What stays of a stopped container is its record and its files; `delete` need not come.
        // With --keep it will, and until then the cgroup's counters can be read, as with runc.
        // Whoever is in it after the end of its pid namespace is not the container's.
        Result<> gone = record.own_pid_namespace ? Result<>{} : sys::kill_cgroup(*record.cgroup);
        if (gone && !wanted.keep_cgroup) {
            gone = remove_place(context, record);
        }
        if (gone && !wanted.keep_cgroup) {
            record.cgroup.reset();
            record.unit.reset();
            record.resctrl.reset();
        } else if (!gone) {
            context.warn(gone.error().message);
        }
    }
    record.status = ContainerState::stopped;
    return save_record(*dir, record);
}

}  // namespace knarr::engine
