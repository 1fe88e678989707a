#pragma once
// What a monitor decides about one container, as a pure state machine: step(event) -> effects. The
// monitor (monitor.h) turns what the kernel says into events and carries the effects out.
//
//   launching ── launched ──> running ── ended ──> draining ── drained ──> concluding ──> done
//       ├─ launch_killed ──────────────────────────────────────────────────────^ │         ^
//       └─ launch_failed ────────────────────────────────────────────────────────┼─────────┤
//                          relaunching <── due ── resting <── to_restart ────────┘         │
//                               └── attempted: looks at the container anew ────────────────┘
//
// A container may end before its launcher has: that end is kept until `launched` says whose it is.

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include <sys/types.h>

namespace knarr::engine {

enum class WatchPhase : std::uint8_t {
    launching,
    running,
    draining,
    concluding,
    resting,
    relaunching,
    done
};

struct WatchEvent {
    enum class Kind : std::uint8_t {
        launched,       // the program of `pid` runs
        launch_failed,  // the launcher has ended and undone what it did
        launch_killed,  // the launcher was killed on the way
        ended,          // a child `pid` has ended with `code`
        drained,        // nothing more will come from its streams
        concluded,      // what was to be done at its end is done
        to_restart,     // the same, and it is to run again (restart.h)
        due,            // the pause until then is over
        attempted,      // whoever was to launch it again has ended
        removed,        // somebody removed the container, or it is to stay down
    };
    Kind kind = Kind::ended;
    pid_t pid = 0;
    std::optional<int> code = {};  // nothing: nobody can know
};

struct WatchEffect {
    enum class Kind : std::uint8_t {
        drain,     // take what is left in the streams, then say `drained`
        conclude,  // record the end with `code`, or remove the container; then say `concluded`
        clear,     // remove what a killed launcher left, then say `concluded` or `to_restart`
        rest,      // wait until it is due, or not to run again any more
        relaunch,  // have it launched again, then say `attempted`
        look,      // find out what it is now, as one who takes over
        leave,     // the monitor's work is done
    };
    Kind kind = Kind::leave;
    std::optional<int> code = {};
    bool operator==(const WatchEffect&) const = default;
};

class Watch {
public:
    std::vector<WatchEffect> step(const WatchEvent& event);
    WatchPhase phase() const { return phase_; }
    pid_t pid() const { return pid_; }

private:
    std::vector<WatchEffect> end_with(std::optional<int> code);

    WatchPhase phase_ = WatchPhase::launching;
    pid_t pid_ = 0;
    std::optional<int> code_;
    std::map<pid_t, std::optional<int>> early_;  // ends of children that nobody has named yet
};

}  // namespace knarr::engine
