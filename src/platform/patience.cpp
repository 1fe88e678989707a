#include "platform/patience.h"

#include <algorithm>

#include <time.h>

namespace knarr::sys {

bool Patience::rest() {
    if (std::chrono::steady_clock::now() >= deadline_) {
        return false;
    }
    const struct timespec pause{.tv_sec = 0, .tv_nsec = next_.count()};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
    next_ = std::min<std::chrono::nanoseconds>(next_ * 2, std::chrono::milliseconds(20));
    return true;
}

}  // namespace knarr::sys
