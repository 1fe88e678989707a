#pragma once
// One caller in front of one container, from the greeting of its monitor to the end of the program
// or to his leaving. attach.h says how a visit comes about.

#include <array>
#include <optional>
#include <string>

#include "engine/attach_client.h"
#include "engine/context.h"
#include "engine/log_reader.h"
#include "engine/log_show.h"
#include "knarr/attach.h"
#include "knarr/run.h"
#include "platform/signal.h"

namespace knarr::engine {

/// What is known of a container that somebody is about to be in front of.
struct Subject {
    ContainerId id;
    std::string keys;  // that leave it
    bool terminal = false;
    StandardStreams streams = {};  // without a terminal: which of its output is shown
    bool from_beginning = false;   // of this run: nothing is removed that is not shown yet
    std::string log_dir;           // none: it is removed already
    LogPolicy log_policy = {};
    std::optional<LogReader> reader;  // where the showing is to begin, if that was before
    sys::Fd socket;                   // to its monitor, if there was one from the beginning
    sys::Fd input;                    // the writing end of what its stdin reads; invalid: none
    std::optional<sys::SignalFd> signals = {};  // held back already, from before it was launched
    sys::Fd process = {};  // the program's; invalid when it had ended before we came
};

class Visit {
public:
    Visit(const Context& context, Subject subject, const AttachRequest& request)
        : context_(context), subject_(std::move(subject)), request_(request) {}

    /// The program's exit code; nothing when the caller left it. Errors: see attach.h.
    Result<std::optional<int>> make();

private:
    bool connect();
    Result<bool> hear_greeting();
    Result<> greet();
    Result<> begin();
    Result<> begin_show();
    Result<> trim_log() const;
    bool has_ended() const;
    bool shows() const { return subject_.terminal || subject_.streams.out || subject_.streams.err; }
    bool wants_to_leave() const;
    Result<> hear_signals();
    Result<> hear_monitor();
    Result<> serve();
    void look_at_end();
    Result<std::optional<int>> finish();
    Result<std::optional<int>> code();
    void tell_why(std::optional<int> code) const;

    const Context& context_;
    Subject subject_;
    const AttachRequest& request_;
    sys::Fd log_;  // its directory, from the launcher
    std::optional<LogShow> show_;
    std::optional<AttachClient> client_;
    sys::Fd master_;
    bool ended_ = false, shown_ = false;
    bool is_told_ = false;  // by a monitor, that it has ended
    std::optional<int> code_;
    std::optional<LogReader::Place> end_;  // of what the run wrote
};

}  // namespace knarr::engine
