#include "engine/pause.h"

#include "engine/event_log.h"
#include "engine/live.h"
#include "engine/never_ran.h"
#include "platform/cgroup_freeze.h"

namespace knarr::engine {

namespace {

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
    KNARR_TRY(transition == Transition::pause ? sys::freeze_cgroup(*held.record.cgroup)
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
