#include "engine/pause.h"

#include "engine/event_log.h"
#include "engine/live.h"
#include "engine/never_ran.h"
#include "platform/cgroup_freeze.h"
#include "platform/pidfd.h"

namespace knarr::engine {

namespace {

/// One that is being killed is let go: v1 holds it in the middle of its end. Whoever kills looks
/// for a freezer after the signal, and we for the signal after we froze, so one of us sees both.
Result<> freeze(const Record& record) {
    Result<> frozen = sys::freeze_cgroup(*record.cgroup);
    const auto process = sys::open_process(record.pid, record.pid_start_ticks);
    if (!process || (*process && !sys::is_being_killed(record.pid))) {
        return frozen;
    }
    if (frozen) {
        // A cgroup that is gone by now has nobody in it who stands still.
        static_cast<void>(sys::thaw_cgroup(*record.cgroup));
    }
    return fail(Errc::wrong_state,
                "it is just ending, not running (Container {} is not running)",
                record.id);
}

Result<> move(const Context& context, const ContainerId& id, Transition transition) {
    const Held held = KNARR_TRY(hold(context, id));
    KNARR_TRY(next_state(held.record, held.live, transition));
    if (!held.record.cgroup) {
        return fail(Error{.code = Errc::unsupported,
                          .message = fmt::format("container {} cannot be paused: it has no cgroup "
                                                 "of its own, and only a cgroup can be frozen",
                                                 id.text()),
                          .hint = "knarr kill ID STOP stops the first process; as an ordinary "
                                  "user, have a cgroup delegated (systemd-run --user --scope -p "
                                  "Delegate=yes knarr ...)"});
    }
    KNARR_TRY(transition == Transition::pause ? freeze(held.record)
                                              : sys::thaw_cgroup(*held.record.cgroup),
              "container {}",
              id.text());
    note_event(context, held.record, transition == Transition::pause ? "pause" : "unpause");
    return {};
}

}  // namespace

Result<> pause_container(const Context& context, const ContainerId& id) {
    return move(context, id, Transition::pause);
}

Result<> resume_container(const Context& context, const ContainerId& id) {
    return move(context, id, Transition::resume);
}

}  // namespace knarr::engine
