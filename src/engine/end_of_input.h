#pragma once
// The end of what is typed or piped, as the program of a terminal is told it.
//
// A terminal has no end, only a character that means it, which waits to be read as any other byte
// does. It is lost when the program throws away what waits there, or goes from lines to bytes
// before it has read, as shells do when they start. So the end is a state: for as long as nothing
// waits to be read, the character is put there again.

#include <chrono>
#include <string>

#include "engine/flow.h"
#include "platform/fd.h"
#include "platform/terminal.h"

namespace knarr::engine {

/// Pure: when, and what.
class EndSigns {
public:
    /// `within_line`: the last byte that came did not end a line.
    explicit EndSigns(bool within_line) : within_line_(within_line) {}
    /// What to put into the terminal now; empty: nothing.
    std::string next(const sys::TerminalInput& seen);
    /// When to look again: soon at first, later once a second.
    std::chrono::milliseconds pause();

private:
    bool within_line_;
    bool told_lines_ = false;  // what reads lines was told once
    std::chrono::milliseconds pause_{10};
};

/// The same with a terminal and a clock.
class EndOfInput {
public:
    /// Nothing more comes into `flow`, which leads to the terminal. Without a clock, which only a
    /// process with too many descriptors lacks, it is told once.
    void begin(const sys::Fd& slave, Flow& flow);
    /// What to wait for before the next look_again(); invalid before begin().
    const sys::Fd& clock() const { return clock_; }
    void look_again(const sys::Fd& slave, Flow& flow);

private:
    void tell(const sys::Fd& slave, Flow& flow);

    EndSigns signs_{false};
    sys::Fd clock_;
};

}  // namespace knarr::engine
