#include "engine/never_ran.h"

namespace knarr::engine {

bool never_ran(const Record& record) {
    return record.life && record.life->started.empty() && !record.exit_code;
}

Result<After> next_state(const Record& record, const Live& live, Transition transition) {
    Result<After> after = next_state(record.id, live.state, transition);
    if (!after && live.state == ContainerState::stopped && never_ran(record)) {
        return fail(Error{.code = Errc::wrong_state,
                          .message = fmt::format("container {} has not run yet", record.id),
                          .hint = fmt::format("knarr start {}", record.id)});
    }
    if (!after && live.state == ContainerState::stopped && transition != Transition::kill) {
        return fail(std::move(after).error().advise(
            record.life ? fmt::format("knarr start {} runs it again", record.id)
                        : fmt::format("it has ended: knarr rm {}, and run it again", record.id)));
    }
    return after;
}

}  // namespace knarr::engine
