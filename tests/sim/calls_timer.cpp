// System calls that wait for a time.

#include <cerrno>

#include <fcntl.h>
#include <sys/timerfd.h>
#include <time.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

SIM_WRAP(int,
         clock_nanosleep,
         (clockid_t clock, int flags, const timespec* pause, timespec* left),
         (clock, flags, pause, left)) {
    const std::int64_t wanted = pause->tv_sec * 1'000'000'000 + pause->tv_nsec;
    SIM_ENTER("clock_nanosleep", none, "{} {}", clock, wanted);
    const std::int64_t deadline = flags == TIMER_ABSTIME ? wanted : world->now + wanted;
    do {
        if (interrupted()) {
            end_call(0);
            return EINTR;  // as POSIX has it: the error is the result
        }
    } while (wait_on({}, deadline));
    return end_call(0);
}
SIM_WRAP(int, timerfd_create, (int clock, int flags), (clock, flags)) {
    SIM_ENTER("timerfd_create", descriptors, "{}", clock);
    const int nonblock = (flags & TFD_NONBLOCK) != 0 ? O_NONBLOCK : 0;
    return end_call(install(new_file(FileKind::timer, O_RDWR | nonblock), true));
}
/// Without intervals: nobody asks for them.
SIM_WRAP(int,
         timerfd_settime,
         (int fd, int flags, const itimerspec* time, itimerspec* before),
         (fd, flags, time, before)) {
    const std::int64_t after = time->it_value.tv_sec * 1'000'000'000 + time->it_value.tv_nsec;
    SIM_ENTER("timerfd_settime", none, "{} {}", fd, after);
    File* file = file_of(fd);
    if (file == nullptr || file->kind != FileKind::timer) {
        return end_call(file == nullptr ? -EBADF : -EINVAL);
    }
    file->expires = after == 0 ? -1 : world->now + after;
    wake(file);
    return end_call(0);
}

// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
