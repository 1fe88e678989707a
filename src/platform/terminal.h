#pragma once

#include <cstdint>

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
/// Makes it the controlling terminal of this session leader, and stdin, stdout and stderr.
Result<> become_foreground_of(const Fd& slave);

}  // namespace knarr::sys
