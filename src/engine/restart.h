#pragma once
// Whether and when a container runs again by itself, as a pure state machine:
// step(state, event, now) -> effect. The state is part of the container's record, so that whoever
// comes next goes on with it; nobody need live for it to hold.
//
//            ended, and the policy says so
//   idle ───────────────────────────────────> waiting ── due ──> launching ── runs ──> idle
//    ^                                         │  ^                  │
//    ├──── stopped by hand, policy "no" ───────┘  └── launch_failed ─┤
//    └──── launch_failed, and the policy has no try left ────────────┘
//
// Times are milliseconds of the monotonic clock, which no clock change moves; at boot it begins
// anew, and `booted` with it.
// The numbers are docker's: 100 ms at first, twice as long each time up to a minute, from the
// beginning after a run of 10 s.

#include <cstdint>

#include "knarr/restart.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

enum class RestartPhase : std::uint8_t { idle, waiting, launching };
/// Who ended the container, other than itself.
enum class StoppedBy : std::uint8_t { nobody, hand, shutdown };

struct RestartState {
    RestartPolicy policy;
    RestartPhase phase = RestartPhase::idle;
    StoppedBy stopped_by = StoppedBy::nobody;
    unsigned count = 0;           // since somebody started it by hand
    std::int64_t backoff_ms = 0;  // the last pause; 0: none yet
    std::int64_t due_ms = 0;      // of `waiting`
    std::int64_t started_ms = 0;  // of the last run
    bool forced = false;          // it runs again when it ends, whatever the policy
    bool operator==(const RestartState&) const = default;
};

struct RestartEvent {
    enum class Kind : std::uint8_t {
        started_by_hand,  // it is about to be launched because somebody asks for it
        due,              // the pause is over: it is about to be launched
        runs,             // its program runs
        ended,            // with `code`; negative: nobody knows
        launch_failed,    // it did not come to run
        stopped_by_hand,  // somebody asks it to end
        unhealthy,        // it is about to be ended, to run again
        shut_down,        // everything is to end, until the next boot
        policy_changed,   // to `policy`
        booted,           // the machine, or all of knarr, begins anew
    };
    Kind kind = Kind::ended;
    int code = 0;
    RestartPolicy policy = {};
};

enum class RestartEffect : std::uint8_t {
    none,    // nothing is to be done now
    wait,    // launch it at `due_ms`
    launch,  // launch it now
};

/// `now_ms`: of steady_ms().
RestartEffect step(RestartState& state, const RestartEvent& event, std::int64_t now_ms);

void write_restart(spec::JsonWriter& json, const RestartState& state);
/// From a container's life; absent is "no". Errors: corrupt.
Result<> read_restart(const spec::JsonValue& life, RestartState& out);

}  // namespace knarr::engine
