#pragma once
// A child that shows a container's log as it grows, to one who is attached. It may wait for a
// reader that takes nothing as long as it likes: the container and its monitor go on.

#include <optional>
#include <string>

#include "engine/log_reader.h"
#include "knarr/run.h"
#include "platform/fd.h"

namespace knarr::engine {

class LogShow {
public:
    /// `reader` stands where the showing is to begin; `log_dir` is the log's directory.
    /// `shown`: which of its streams. Call it before the terminal is in raw mode: the child is to
    /// hold nothing of that. It shows nothing before begin().
    static Result<LogShow> start(LogReader reader,
                                 const std::string& log_dir,
                                 StandardStreams shown);
    LogShow(LogShow&&) noexcept = default;
    LogShow& operator=(LogShow&&) = delete;
    LogShow(const LogShow&) = delete;
    LogShow& operator=(const LogShow&) = delete;
    ~LogShow();

    /// Readable when the child has ended: all is shown, or cannot be.
    const sys::Fd& process() const { return process_; }
    /// To be called once, when the terminal is in raw mode: who sees what the program asks may
    /// answer at once.
    void begin();
    /// Nothing more comes: shows what there is, up to `end` where that is known, and ends.
    void finish(const std::optional<LogReader::Place>& end);
    /// After the child's end. Errors: io where it could not read the log, or show it.
    Result<> end();

private:
    LogShow(sys::Fd process, sys::Fd more, sys::Fd reason)
        : process_(std::move(process)), more_(std::move(more)), reason_(std::move(reason)) {}

    sys::Fd process_;
    sys::Fd more_;  // begins with kBegin; closed: nothing more comes; says before where the end is
    sys::Fd reason_;  // has the child's error when it has ended
};

}  // namespace knarr::engine
