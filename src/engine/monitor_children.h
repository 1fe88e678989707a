#pragma once
// The children of a monitor: who launches its container, and what became an orphan, the
// container's first process among them. Which of those that have ended may be reaped when.

#include <cstdint>
#include <optional>

#include <sys/types.h>

#include "engine/watch.h"
#include "platform/pidfd.h"

namespace knarr::engine {

class MonitorChildren {
public:
    /// `launcher`: a child that launches the container; 0: there is none.
    explicit MonitorChildren(pid_t launcher) : launcher_(launcher) {}

    /// One that launches the container again.
    void note_relauncher(pid_t child) { relauncher_ = child; }
    /// The next child that has ended, reaped unless it is kept: the container's first process,
    /// `watched`, is told while the monitor is in the phase `running`, and reaped later.
    std::optional<sys::Reaped> next(WatchPhase phase, pid_t watched) const;
    enum class Who : std::uint8_t { launcher, relauncher, other };
    /// Who has ended, by its pid, which another may have from now on.
    Who forget(pid_t child);

private:
    pid_t launcher_;
    pid_t relauncher_ = 0;
};

}  // namespace knarr::engine
