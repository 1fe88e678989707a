#include "platform/seccomp_probe.h"

#include <cerrno>

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace knarr::sys {

bool kernel_takes_seccomp_flag(std::uint32_t flag) {
    // WAIT_KILLABLE_RECV alone is refused: it says how to wait for a listener.
    constexpr std::uint32_t kWaitKillable = 1U << 5U;
    if (flag == kWaitKillable) {
        flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    }
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flag, nullptr) != 0 && errno == EFAULT;
}

}  // namespace knarr::sys
