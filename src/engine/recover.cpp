#include "engine/recover.h"

#include <array>
#include <cerrno>

#include <fcntl.h>

#include "bundle/read.h"
#include "core/clock.h"
#include "core/fault.h"
#include "core/limits.h"
#include "engine/container_data.h"
#include "engine/destroy.h"
#include "engine/ending.h"
#include "engine/kept_config.h"
#include "engine/live.h"
#include "engine/monitor_lock.h"
#include "engine/monitor_start.h"
#include "engine/names.h"
#include "engine/never_ran.h"
#include "engine/rerun.h"
#include "engine/run_again.h"
#include "engine/stop.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/task.h"

namespace knarr {

std::string_view name_of(UpkeepStep::Kind kind) {
    constexpr std::array<std::string_view, 14> kNames{"restored",
                                                      "repaired",
                                                      "damaged",
                                                      "put aside",
                                                      "started",
                                                      "adopted",
                                                      "concluded",
                                                      "cleared",
                                                      "ended",
                                                      "removed",
                                                      "removed data of",
                                                      "stopped",
                                                      "killed",
                                                      "failed"};
    return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace knarr

namespace knarr::engine {

namespace {

using Kind = UpkeepStep::Kind;
constexpr const char* kQuarantine = ".quarantine";
constexpr const char* kDamagedFile = "state.json.damaged";

class Recoverer {
public:
    Recoverer(const Context& context, std::string data_root, Recovery recovery)
        : context_(context), data_root_(std::move(data_root)), recovery_(recovery) {}

    Result<std::vector<UpkeepStep>> run();

private:
    void say(Kind kind, const std::string& id, std::string detail = {}) {
        steps_.push_back({.kind = kind, .id = id, .detail = std::move(detail)});
    }
    Result<> restore_lost();
    Result<> mend_layers();
    Result<> look_at_files(const ContainerId& id, const Seen& seen);
    Result<> recover_one(const ContainerId& id);
    Result<> mend_damaged(const ContainerId& id, const Error& damage);
    Result<bool> put_copy_in_place(const ContainerId& id, bool keep_damaged);
    Result<> clear_launch(const ContainerId& id);
    Result<> after_boot(const ContainerId& id);
    Result<> look_after_running(const ContainerId& id, const Seen& seen);
    Result<> remove_ended(const ContainerId& id);

    const Context& context_;
    const std::string data_root_;
    const Recovery recovery_;
    std::vector<UpkeepStep> steps_;
};

/// Containers whose state directory went with the machine's memory, but whose files are there.
Result<> Recoverer::restore_lost() {
    const std::string root = KNARR_TRY(sys::absolute(context_.root.path()));
    const auto containers = sys::open_path(data_root_ + "/containers", O_RDONLY | O_DIRECTORY);
    if (!containers) {
        return containers.error().sys_errno == ENOENT ? Result<>{} : fail(containers.error());
    }
    for (const std::string& name : KNARR_TRY(sys::list_dir(*containers))) {
        const auto id = ContainerId::parse(name);
        const auto use = id ? read_use(data_root_, name) : Result<ContainerUse>(fail(id.error()));
        if (!use || use->state_root != root || context_.root.open_dir(*id)) {
            continue;
        }
        const auto copy = kept_record(container_dir(data_root_, name));
        if (!copy) {
            say(Kind::failed, name, copy.error().message);
        }
        if (!copy || !*copy || (*copy)->id != name) {
            continue;
        }
        const auto nothing = [](const LockedDir&) -> Result<bool> { return false; };
        const LockedDir dir = KNARR_TRY(context_.root.make(*id, nothing));
        KNARR_TRY(save_record(dir, **copy));
        say(Kind::restored, name);
    }
    return {};
}

/// What says which layers and volumes a container has.
Result<> Recoverer::mend_layers() {
    for (const MendedUse& one : KNARR_TRY(mend_uses(data_root_))) {
        say(one.mended ? Kind::repaired : Kind::damaged,
            one.container,
            one.mended ? fmt::format("{}; its copy is used", one.damage)
                       : fmt::format("{}; which image and volumes it uses nobody knows, so all "
                                     "stay until knarr rm -f {} removes it",
                                     one.damage,
                                     one.container));
    }
    return {};
}

/// Puts the copy of a record in the place of one that is not readable, empty or gone.
Result<bool> Recoverer::put_copy_in_place(const ContainerId& id, bool keep_damaged) {
    const auto copy = kept_record(container_dir(data_root_, id.text()));
    if (!copy || !*copy || (*copy)->id != id.text()) {
        return false;
    }
    const LockedDir dir = KNARR_TRY(context_.root.lock(id));
    if (keep_damaged) {
        KNARR_TRY(sys::rename_at(dir.fd(), kRecordFile, dir.fd(), kDamagedFile));
    }
    KNARR_TRY(save_record(dir, **copy));
    return true;
}

Result<> Recoverer::mend_damaged(const ContainerId& id, const Error& damage) {
    if (KNARR_TRY(put_copy_in_place(id, true))) {
        say(Kind::repaired,
            id.text(),
            fmt::format("{}; it is kept as {}", damage.message, kDamagedFile));
        return recover_one(id);
    }
    if (recovery_ == Recovery::gentle) {
        say(Kind::damaged, id.text(), damage.message);
        return {};
    }
    const LockedDir dir = KNARR_TRY(context_.root.lock(id));
    const sys::Fd aside = KNARR_TRY(sys::make_dirs(context_.root.path() + "/" + kQuarantine, 0700));
    const std::string place = fmt::format("{}-{}", id.text(), format_time(system_clock().wall()));
    const sys::Fd root = KNARR_TRY(sys::open_path(context_.root.path(), O_RDONLY | O_DIRECTORY));
    KNARR_TRY(sys::rename_at(root, id.text(), aside, place));
    say(Kind::put_aside,
        id.text(),
        fmt::format(
            "{}; it is in {}/{}/{}", damage.message, context_.root.path(), kQuarantine, place));
    return {};
}

Result<> Recoverer::clear_launch(const ContainerId& id) {
    const auto dir = context_.root.open_dir(id);
    if (!dir || KNARR_TRY(context_.root.is_locked(*dir))) {
        return {};  // somebody is at work
    }
    KNARR_TRY(clear_killed_launch(context_, id));
    KNARR_TRY(settle_launch(context_, id));
    say(Kind::cleared, id.text());
    return {};
}

/// The machine was started anew, or all was shut down: what runs from now on, the policy says.
Result<> Recoverer::after_boot(const ContainerId& id) {
    Held held = KNARR_TRY(hold(context_, id));
    Record& record = held.record;
    if (record.auto_remove) {
        KNARR_TRY(destroy(context_, held.dir, record));
        say(Kind::removed, id.text(), "it was to be removed at its end");
        return {};
    }
    RestartState& restart = record.life->restart;
    const int code = record.exit_code.value_or(-1);
    const auto effect =
        step(restart, {.kind = RestartEvent::Kind::booted, .code = code}, steady_ms());
    // What the last run left is gone with the machine, but for layers that nobody mounts again.
    record.boot = boot_id();
    KNARR_TRY(save_record(held.dir, record));
    if (effect != RestartEffect::launch) {
        return {};
    }
    KNARR_TRY(run_as_before(context_, std::move(held)));
    say(Kind::started, id.text());
    return {};
}

Result<> Recoverer::look_after_running(const ContainerId& id, const Seen& seen) {
    const Record& record = seen.record;
    const bool runs = seen.live.process.valid();
    const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id));
    if (KNARR_TRY(is_watched(dir))) {
        return {};
    }
    if (runs && recovery_ == Recovery::force) {
        KNARR_TRY(stop_container(context_, id, {.signal = {}, .timeout = std::chrono::seconds(0)}));
        say(Kind::ended, id.text(), "nobody watched it");
        return {};
    }
    if (!runs) {
        const RunOf run{.id = id, .pid = record.pid, .start_ticks = record.pid_start_ticks};
        const Ending ending = KNARR_TRY(
            conclude_run(context_, run, std::nullopt, format_time(system_clock().wall())));
        say(Kind::concluded, id.text(), "nobody saw how it ended");
        if (ending != Ending::restarts) {
            return {};
        }
    }
    KNARR_TRY(adopt(context_, id.text()));
    say(Kind::adopted, id.text());
    return {};
}

/// One that was to be removed at its end, and could not be.
Result<> Recoverer::remove_ended(const ContainerId& id) {
    Held held = KNARR_TRY(hold(context_, id));
    if (held.record.status != ContainerState::stopped || !held.record.auto_remove ||
        never_ran(held.record)) {
        return {};
    }
    KNARR_TRY(destroy(context_, held.dir, held.record));
    say(Kind::removed, id.text(), "it was to be removed at its end");
    return {};
}

/// What it needs besides its record: the copy of that, what further processes and its next run
/// need.
Result<> Recoverer::look_at_files(const ContainerId& id, const Seen& seen) {
    const auto files = sys::open_path(seen.record.data_dir, O_PATH | O_DIRECTORY);
    if (!files && files.error().sys_errno == ENOENT) {
        return {};  // its removal was cut off, and can go on
    }
    const auto copy = kept_record(seen.record.data_dir);
    if (keeps_copy(seen.record) && (!copy || !*copy)) {
        const Held held = KNARR_TRY(hold(context_, id));
        KNARR_TRY(save_record(held.dir, held.record));
        say(Kind::repaired,
            id.text(),
            copy ? "the copy of its record was gone" : copy.error().message);
    }
    const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id));
    const auto kept = load_kept_config(dir);
    if (seen.live.process.valid() && !kept) {
        say(Kind::damaged,
            id.text(),
            fmt::format("{}; it runs on, but no exec in it", kept.error().message));
    }
    const auto bundle = bundle::read_bundle(seen.record.data_dir);
    if (!bundle) {
        say(Kind::damaged,
            id.text(),
            fmt::format("{}; it does not start again", bundle.error().message));
    }
    return {};
}

Result<> Recoverer::recover_one(const ContainerId& id) {
    const auto seen = look(context_, id);
    if (!seen && seen.error().code == Errc::not_found) {
        return {};
    }
    if (!seen) {
        return mend_damaged(id, seen.error());
    }
    if (!*seen) {
        return {};  // somebody is at work
    }
    const Record& record = (*seen)->record;
    if (is_empty_record(record)) {
        const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id));
        if (KNARR_TRY(sys::stat_at(dir, kRecordFile))) {
            return mend_damaged(
                id, fail(Errc::corrupt, "{}: state.json: it is empty", id.text()).error());
        }
        if (KNARR_TRY(put_copy_in_place(id, false))) {
            say(Kind::repaired, id.text(), "its state.json was gone");
            return recover_one(id);
        }
    }
    if (record.status == ContainerState::creating) {
        return clear_launch(id);
    }
    if (!record.life) {
        return {};  // of a bundle: whoever made it looks after it
    }
    KNARR_TRY(look_at_files(id, **seen));
    if (record.before_boot || record.life->restart.stopped_by == StoppedBy::shutdown) {
        return (*seen)->live.process.valid() ? Result<>{} : after_boot(id);
    }
    if (record.status == ContainerState::running) {
        return look_after_running(id, **seen);
    }
    if (record.status == ContainerState::stopped && record.auto_remove && !never_ran(record)) {
        return remove_ended(id);
    }
    const sys::Fd dir = KNARR_TRY(context_.root.open_dir(id));
    if (is_pending(*record.life) && !KNARR_TRY(is_watched(dir))) {
        KNARR_TRY(adopt(context_, id.text()));
        say(Kind::adopted, id.text(), "it is about to run again");
    }
    return {};
}

Result<std::vector<UpkeepStep>> Recoverer::run() {
    KNARR_TRY(mend_layers());
    KNARR_TRY(restore_lost());
    for (const std::string& text : KNARR_TRY(context_.root.ids())) {
        const ContainerId id = KNARR_TRY(ContainerId::parse(text));
        KNARR_TRY(fault_point("recover.one"));
        if (const Result<> done = recover_one(id); !done) {
            say(Kind::failed, text, done.error().message);
        }
    }
    if (const Result<> mended = mend_names(context_); !mended) {
        say(Kind::failed, "names", mended.error().message);
    }
    for (const std::string& name : KNARR_TRY(remove_data_of_nobody(data_root_, Doing::it))) {
        say(Kind::data, name);
    }
    KNARR_TRY(unmount_leftovers(data_root_));
    return std::move(steps_);
}

}  // namespace

Result<std::vector<UpkeepStep>> recover(const Context& context,
                                        const std::string& data_root,
                                        Recovery recovery) {
    return Recoverer(context, KNARR_TRY(sys::absolute(data_root)), recovery).run();
}

}  // namespace knarr::engine
