#pragma once
// The caller's terminal while a container's is shown in it.

#include <termios.h>

#include "platform/fd.h"

namespace knarr::sys {

/// A terminal in raw mode: bytes pass as they are, Ctrl-C too; only line ends are still written as
/// the terminal needs them. The destructor gives it its settings back, and after a SIGKILL of this
/// process a guard does: a clone that holds nothing but the terminal and a pipe. No exec: only for
/// single-threaded programs.
class RawTerminal {
public:
    /// A process in the background is stopped here by SIGTTOU until it is in the foreground, as by
    /// any change of a terminal's settings. Source: tcsetattr(3), job control.
    static Result<RawTerminal> enter(Fd terminal);
    RawTerminal(RawTerminal&&) noexcept = default;
    RawTerminal& operator=(RawTerminal&&) = delete;
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    ~RawTerminal();

    /// Raw again: a shell gives a stopped program's terminal its own settings.
    Result<> enter_again();

private:
    RawTerminal(Fd terminal, const termios& before)
        : terminal_(std::move(terminal)), before_(before) {}
    Result<> start_guard();

    Fd terminal_;  // invalid: moved from
    termios before_{};
    Fd alive_;  // the guard acts when the last copy is closed
    Fd guard_;  // pidfd
};

}  // namespace knarr::sys
