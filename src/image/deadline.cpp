#include "image/deadline.h"

#include "rpc/transfer.h"

namespace knarr::image {

Deadline deadline_of(const PullOptions& options, Clock::Steady begin) {
    const std::chrono::seconds asked(count_seconds(options.timeout));
    const auto given = asked.count() != 0 ? asked : kOperationTime;
    return {.given = given, .end = begin + given};
}

Result<> check(const Deadline& deadline) {
    if (system_clock().steady() >= deadline.end) {
        return fail(rpc::operation_over("knarr", deadline.given));
    }
    return {};
}

Result<> TimedSource::pump() {
    KNARR_TRY(check(deadline_));
    return source_.pump();
}

}  // namespace knarr::image
