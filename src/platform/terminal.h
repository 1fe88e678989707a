#pragma once

#include <cstdint>
#include <optional>

#include "platform/fd.h"

namespace knarr::sys {

struct Terminal {
    Fd master, slave;
};

/// A new terminal of the devpts at dev/pts below `root`. The slave comes from the master's
/// descriptor and never from a path (CVE-2025-52565); ONLCR is cleared as runc does, since the
/// client's own terminal adds it. Errors: denied when dev/pts is no devpts or behind a link.
/// Source: ioctl_tty(2) TIOCGPTPEER.
Result<Terminal> make_terminal(const Fd& root);
Result<> set_terminal_size(const Fd& terminal, std::uint32_t rows, std::uint32_t columns);

struct TerminalSize {
    std::uint16_t rows = 0, columns = 0;
};
/// Nothing where it is no terminal, or one that does not know its size (0 rows or columns).
std::optional<TerminalSize> terminal_size(const Fd& terminal);
bool is_terminal(const Fd& fd);
/// How the program of a terminal reads, and whether something waits to be read.
struct TerminalInput {
    enum class Mode : std::uint8_t {
        lines,   ///< the kernel makes lines of what is typed
        edited,  ///< the program edits its lines itself, as shells do; it knows the same keys
        bytes,   ///< raw: every byte is one
    };
    Mode mode = Mode::lines;
    char end = 0;  ///< the byte that means "end of input"; 0: there is none
    bool has_unread = false;
};
/// By the slave. Nothing where it was hung up. Source: termios(3) ICANON, OPOST, VEOF.
std::optional<TerminalInput> terminal_input(const Fd& slave);
/// The slave of a master, so that the master does not report the end of what others open next.
Result<Fd> open_slave(const Fd& master);

/// A descriptor of our own for the standard stream `number` (0 to 2); nothing where that is closed.
/// Terminals and pipes are opened anew and then never block: the flags of the inherited one are
/// shared with whoever else has it. What cannot be opened anew is duplicated and may block.
std::optional<Fd> open_standard(int number);

/// The first of the caller's standard streams that is a terminal.
std::optional<Fd> open_standard_terminal();

/// Leads a process group of its own, the foreground's where stdin is this session's terminal: a
/// Ctrl-C is then for it and not for its parent. SIGTTOU must be held back.
void lead_foreground_group();

/// Makes it the controlling terminal of this session leader, and stdin, stdout and stderr.
Result<> become_foreground_of(const Fd& slave);

}  // namespace knarr::sys
