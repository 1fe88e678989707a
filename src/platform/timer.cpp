#include "platform/timer.h"

#include <cerrno>

#include <sys/timerfd.h>

namespace knarr::sys {

Result<Fd> make_timer(std::chrono::milliseconds after) {
    Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (!timer.valid()) {
        return fail_errno(errno, "timerfd");
    }
    KNARR_TRY(set_timer(timer, after));
    return timer;
}

Result<> set_timer(const Fd& timer, std::chrono::milliseconds after) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(after);
    const std::chrono::nanoseconds rest = after - seconds;
    const itimerspec time{.it_interval = {},
                          .it_value = {.tv_sec = seconds.count(), .tv_nsec = rest.count()}};
    if (timerfd_settime(timer.get(), 0, &time, nullptr) != 0) {
        return fail_errno(errno, "set a timer");
    }
    return {};
}

}  // namespace knarr::sys
