#include "engine/monitor_children.h"

#include <utility>

namespace knarr::engine {

namespace {

/// What is not reaped yet. The container's first process, which any child may be until its launcher
/// has ended: whoever gets our children when we are killed learns the exit code from it, so it
/// stays until that is recorded.
bool keeps(pid_t child, pid_t launcher, WatchPhase phase, pid_t watched) {
    switch (phase) {
        case WatchPhase::launching:
            return launcher > 0 && child != launcher;
        case WatchPhase::running:
        case WatchPhase::draining:
        case WatchPhase::concluding:
            return child == watched;
        default:
            return false;
    }
}

}  // namespace

std::optional<sys::Reaped> MonitorChildren::next(WatchPhase phase, pid_t watched) const {
    auto child = sys::ended_child();
    if (!child) {
        return std::nullopt;
    }
    if (!keeps(child->pid, launcher_, phase, watched)) {
        sys::reap_child(child->pid);
        return child;
    }
    switch (phase) {
        case WatchPhase::launching:
            return sys::reap_child(launcher_);
        case WatchPhase::running:
            return child;
        default:
            return std::nullopt;
    }
}

MonitorChildren::Who MonitorChildren::forget(pid_t child) {
    if (child == launcher_) {
        launcher_ = 0;
        return Who::launcher;
    }
    if (child == relauncher_) {
        relauncher_ = 0;
        return Who::relauncher;
    }
    return Who::other;
}

}  // namespace knarr::engine
