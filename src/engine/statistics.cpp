#include "engine/statistics.h"

#include <algorithm>
#include <array>

#include "engine/live.h"
#include "platform/cgroup_files.h"
#include "platform/cgroup_stats.h"
#include "platform/oom_watch.h"
#include "platform/pidfd.h"
#include "platform/socket.h"

namespace knarr::engine {

namespace {

/// Errors: wrong_state when there are no processes to speak of.
Result<Seen> look_at_running(const Context& context, const ContainerId& id) {
    Seen seen = KNARR_TRY(look_at(context, id));
    if (!seen.live.process.valid()) {
        return fail(Errc::wrong_state,
                    "container {} is {}, and has no processes that use anything",
                    id.text(),
                    knarr::name_of(seen.live.state));
    }
    return seen;
}

Statistics read_statistics(const Seen& seen) {
    Statistics out;
    if (seen.record.cgroup) {
        const sys::CgroupFiles files(*seen.record.cgroup);
        out = sys::cgroup_statistics(
            [&](std::string_view controller, const std::string& file) {
                return files.read(controller, file);
            },
            files.v2(),
            sys::hugepage_sizes());
    }
    out.interfaces = sys::interfaces_of(seen.record.pid);
    // The pid may have been given to another process meanwhile: then these are not ours.
    const auto ended = sys::wait_ended(seen.live.process, std::chrono::milliseconds(0));
    if (!ended || *ended) {
        out.interfaces.reset();
    }
    return out;
}

}  // namespace

Result<Statistics> statistics_of(const Context& context, const ContainerId& id) {
    return read_statistics(KNARR_TRY(look_at_running(context, id)));
}

Result<> watch_container(const Context& context,
                         const ContainerId& id,
                         std::chrono::milliseconds interval,
                         const std::function<Result<>(const StatsSample&)>& tell,
                         int cancel_fd) {
    using Clock = std::chrono::steady_clock;
    using Kind = StatsSample::Kind;
    const Seen seen = KNARR_TRY(look_at_running(context, id));
    std::optional<sys::OomWatch> oom;
    if (seen.record.cgroup) {
        const sys::CgroupFiles files(*seen.record.cgroup);
        oom = KNARR_TRY(sys::OomWatch::open(files), "container {}", id.text());
    }
    Clock::time_point next = Clock::now() + interval;
    while (true) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
        std::array<sys::Ready, 3> items{sys::Ready{.fd = seen.live.process.get()},
                                        sys::Ready{.fd = oom ? oom->fd().get() : -1},
                                        sys::Ready{.fd = cancel_fd}};
        KNARR_TRY(
            sys::wait_ready(items, static_cast<int>(std::clamp<std::int64_t>(left, 0, INT32_MAX))));
        // Also when it has ended: running out of memory is how many containers end.
        for (std::uint64_t count = oom ? KNARR_TRY(oom->take()) : 0; count > 0; --count) {
            KNARR_TRY(tell({.kind = Kind::out_of_memory, .statistics = {}}));
        }
        if (items[0].is_ready || items[2].is_ready) {
            return {};
        }
        if (Clock::now() >= next) {
            KNARR_TRY(tell({.kind = Kind::statistics, .statistics = read_statistics(seen)}));
            // One that was late is not made up for.
            next = std::max(next + interval, Clock::now());
        }
    }
}

}  // namespace knarr::engine
