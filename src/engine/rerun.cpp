#include "engine/rerun.h"

#include <csignal>

#include "core/clock.h"
#include "core/fault.h"
#include "engine/container_data.h"
#include "engine/destroy.h"
#include "engine/event_log.h"
#include "engine/live.h"
#include "engine/run_again.h"

namespace knarr::engine {

namespace {
using Kind = RestartEvent::Kind;
}  // namespace

Result<> rerun(const Context& context, const ContainerId& id) {
    Result<Held> held = hold(context, id);
    if (!held) {
        return held.error().code == Errc::not_found ? Result<>{} : fail(std::move(held).error());
    }
    Record& record = held->record;
    if (!record.life || held->live.process.valid() ||
        step(record.life->restart, {.kind = Kind::due}, steady_ms()) != RestartEffect::launch) {
        return {};
    }
    KNARR_TRY(save_record(held->dir, record));
    KNARR_TRY(fault_point("rerun.noted"));
    Result<> running = run_as_before(context, std::move(*held));
    if (!running) {
        context.warn("restart: " + running.error().message);
        KNARR_TRY(settle_launch(context, id));
    }
    return running;
}

Result<> settle_launch(const Context& context, const ContainerId& id) {
    Result<Held> held = hold(context, id);
    if (!held) {
        return held.error().code == Errc::not_found ? Result<>{} : fail(std::move(held).error());
    }
    Record& record = held->record;
    if (!record.life || record.life->restart.phase != RestartPhase::launching) {
        return {};
    }
    if (record.status != ContainerState::stopped) {
        KNARR_TRY(end_run(context, held->dir, record));
    }
    step(record.life->restart, {.kind = Kind::launch_failed}, steady_ms());
    return save_record(held->dir, record);
}

std::optional<std::int64_t> due_of(const Context& context, const ContainerId& id) {
    const auto seen = look(context, id);
    if (!seen || !*seen || !(*seen)->record.life) {
        return std::nullopt;
    }
    const RestartState& restart = (*seen)->record.life->restart;
    return restart.phase == RestartPhase::waiting ? std::optional(restart.due_ms) : std::nullopt;
}

Result<bool> note_stop(const Context& context, const ContainerId& id, StoppedBy who) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    if (!seen.record.life) {
        return false;
    }
    const Life& life = *seen.record.life;
    const bool acts = life.health && life.health->on_failure != HealthAction::none;
    if (life.restart.policy.mode == RestartMode::no && !is_pending(life) && !acts) {
        return false;  // nothing would bring it back
    }
    Held held = KNARR_TRY(hold(context, id));
    if (!held.record.life) {
        return false;
    }
    RestartState& restart = held.record.life->restart;
    const bool pending = restart.phase != RestartPhase::idle;
    const bool by_hand = who == StoppedBy::hand;
    step(restart, {.kind = by_hand ? Kind::stopped_by_hand : Kind::shut_down}, steady_ms());
    KNARR_TRY(save_record(held.dir, held.record));
    return pending;
}

Result<> note_kill(const Context& context, const ContainerId& id, int signal) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    if (seen.record.life && (signal == SIGKILL || signal == seen.record.life->stop_signal)) {
        KNARR_TRY(note_stop(context, id, StoppedBy::hand));
    }
    if (signal != 0 && seen.live.process.valid()) {
        note_event(context, seen.record, "kill", {{"signal", fmt::format("{}", signal)}});
    }
    return {};
}

Result<> change_restart_policy(const Context& context,
                               const ContainerId& id,
                               const RestartPolicy& policy) {
    Held held = KNARR_TRY(hold(context, id));
    if (!held.record.life || !held.record.life->monitored) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} has no monitor that could start it "
                                                 "again",
                                                 id.text()),
                          .hint = "containers of images in the background have one: knarr run -d"});
    }
    if (held.record.auto_remove && policy.mode != RestartMode::no) {
        return fail(
            Error{.code = Errc::invalid_argument,
                  .message = fmt::format("container {} is removed at its end (Restart policy "
                                         "cannot be updated because AutoRemove is enabled)",
                                         id.text()),
                  .hint = "make it without --rm"});
    }
    step(held.record.life->restart, {.kind = Kind::policy_changed, .policy = policy}, steady_ms());
    KNARR_TRY(save_record(held.dir, held.record));
    note_event(context, held.record, "update");
    return {};
}

}  // namespace knarr::engine
