#include "engine/monitor_lock.h"

#include <fcntl.h>

#include "core/limits.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/patience.h"

namespace knarr::engine {

Result<sys::Fd> open_lock(const sys::Fd& dir, const char* name) {
    return sys::open_at(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
}

Result<sys::Fd> lock_to_watch(const sys::Fd& dir, const char* name) {
    sys::Fd lock = KNARR_TRY(open_lock(dir, name));
    sys::Patience patience{std::chrono::seconds(limits::kLockWaitSeconds)};
    while (!KNARR_TRY(sys::try_lock(lock))) {
        if (!patience.rest()) {
            return fail(Errc::wrong_state, "the monitor of its last run is still at work");
        }
    }
    return lock;
}

Result<bool> is_watched(const sys::Fd& dir) {
    const auto terminal = sys::open_at(dir, kTerminalLock, O_RDWR | O_NOFOLLOW);
    if (terminal && !KNARR_TRY(sys::try_lock(*terminal))) {
        return true;
    }
    const sys::Fd lock = KNARR_TRY(open_lock(dir, kMonitorLock));
    return !KNARR_TRY(sys::try_lock(lock));
}

}  // namespace knarr::engine
