#include "platform/told_pid.h"

#include <atomic>
#include <utility>

namespace knarr::sys {

Result<ToldPid> ToldPid::make() {
    return ToldPid(KNARR_TRY(Pages::map_shared(sizeof(pid_t))));
}

pid_t* ToldPid::place() const {
    return reinterpret_cast<pid_t*>(memory_.memory().data());
}

pid_t ToldPid::pid() const {
    return std::atomic_ref<pid_t>(*place()).load();
}

}  // namespace knarr::sys
