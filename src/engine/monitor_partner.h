#pragma once
// The other of a container's two monitors (monitor.h): the one that stands by, as the one that
// watches has it, and what it does meanwhile.

#include "core/clock.h"
#include "engine/context.h"
#include "engine/held_streams.h"
#include "engine/monitor_start.h"
#include "platform/signal.h"

namespace knarr::engine {

class MonitorPartner {
public:
    /// From one that is started to the next: whoever ends is replaced in 1 s.
    static constexpr int kPauseMs = 500;

    /// `order`: what this monitor was started with; it outlives this.
    explicit MonitorPartner(const MonitorOrder& order) : order_(order) {}

    /// One that stands by already.
    void take(pid_t pid);
    bool is_there() const { return pidfd_.valid(); }
    /// Readable when it has ended; -1: there is none.
    int fd() const { return pidfd_.get(); }
    void has_ended() { pidfd_.reset(); }
    /// Whether there is none, and one that ended at once is not started in a circle.
    bool is_due() const;
    /// Starts one as a child; `terminal`: by which it gets the program's, null: there is none.
    Result<> start(const sys::Fd* terminal);
    /// It makes room for another one, which is due at once.
    void replace();

private:
    const MonitorOrder& order_;
    sys::Fd pidfd_;
    Clock::Steady next_{};  // not before
};

/// Waits for the end of the monitor `watching`, and holds what that would take with it. The
/// container's process, where it was there before.
Result<sys::Fd> stand_by(const Context& context,
                         const ContainerId& id,
                         pid_t watching,
                         sys::SignalFd& signals,
                         HeldStreams& streams);

}  // namespace knarr::engine
