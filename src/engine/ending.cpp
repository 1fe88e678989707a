#include "engine/ending.h"

#include "core/clock.h"
#include "core/fault.h"
#include "core/text.h"
#include "engine/destroy.h"
#include "engine/event_log.h"
#include "engine/kept_config.h"
#include "engine/live.h"
#include "platform/cgroup_files.h"
#include "platform/cgroup_stats.h"
#include "platform/file.h"
#include "platform/oom_watch.h"

namespace knarr::engine {

namespace {

/// Nothing when the container is gone.
Result<std::optional<Held>> hold_if_there(const Context& context, const ContainerId& id) {
    Result<Held> held = hold(context, id);
    if (!held && held.error().code == Errc::not_found) {
        return std::nullopt;
    }
    return std::optional(KNARR_TRY(std::move(held)));
}

}  // namespace

std::string out_of_memory_text(const Record& record) {
    if (!record.cgroup) {
        return {};
    }
    const sys::CgroupFiles files(*record.cgroup);
    if (sys::memory_kills(files) == 0) {
        return {};
    }
    const auto memory = sys::cgroup_statistics(
                            [&](std::string_view controller, const std::string& file) {
                                return files.read(controller, file);
                            },
                            files.v2(),
                            {})
                            .memory;
    std::string text = fmt::format("container {} was killed: out of memory", record.id);
    if (memory && memory->memory.limit) {
        text += fmt::format(": its limit is {}", human_size(*memory->memory.limit));
        text += memory->memory.max
                    ? fmt::format(", its peak use {}", human_size(*memory->memory.max))
                    : "";
        text += "; raise linux.resources.memory.limit (--memory)";
    } else {
        text += ": without a limit of its own, by one above it or for want of the host's memory";
    }
    return text;
}

void note_end(Record& record, std::optional<int> code, const std::string& finished) {
    record.exit_code = code;
    if (record.life) {
        record.life->finished = finished;
        record.life->oom_text = out_of_memory_text(record);
        record.life->oom_killed = !record.life->oom_text.empty();
    }
}

Result<Ending> conclude_run(const Context& context,
                            const RunOf& run,
                            std::optional<int> code,
                            const std::string& finished) {
    auto held = KNARR_TRY(hold_if_there(context, run.id));
    if (!held || held->record.pid != run.pid || held->record.pid_start_ticks != run.start_ticks) {
        return Ending::nothing;
    }
    KNARR_TRY(fault_point("monitor.ended"));
    Record& record = held->record;
    note_end(record, code, finished);
    note_end_event(context, record);
    if (record.auto_remove) {
        const Result<> gone = destroy(context, held->dir, record);
        if (!gone) {
            context.warn(gone.error().message);
            KNARR_TRY(end_run(context, held->dir, record));  // recover() removes it
        }
        return Ending::recorded;
    }
    RestartEffect next = RestartEffect::none;
    if (record.life && record.life->monitored) {
        // In the same write as the end: whoever comes next finds both or none.
        next = step(record.life->restart,
                    {.kind = RestartEvent::Kind::ended, .code = code.value_or(-1)},
                    steady_ms());
    }
    KNARR_TRY(end_run(context, held->dir, record));
    KNARR_TRY(fault_point("monitor.recorded"));
    return next == RestartEffect::wait ? Ending::restarts : Ending::recorded;
}

Result<> clear_killed_launch(const Context& context, const ContainerId& id) {
    Result<LockedDir> dir = context.root.lock(id);
    if (!dir) {
        return dir.error().code == Errc::not_found ? Result<>{} : fail(std::move(dir).error());
    }
    auto record = KNARR_TRY(load_record(dir->fd(), path_of(context, id.text())));
    if (!record && KNARR_TRY(had_record(dir->fd()))) {
        // Not what a killed launch leaves: it may run, and recover() may have a copy.
        return fail(Errc::corrupt, "container {}: its record is empty or gone", id.text());
    }
    if (!record) {
        return context.root.remove(std::move(*dir));
    }
    const bool stays = record->life && (record->life->laid_down || !record->life->started.empty());
    return stays ? end_run(context, *dir, *record)
                 : destroy(context, *dir, *record, AnonymousVolumes::go);
}

}  // namespace knarr::engine
