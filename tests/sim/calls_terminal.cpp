// System calls on terminals.

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "sim/calls.h"
#include "sim/wrap.h"

namespace knarr::sim {

namespace {

Terminal* terminal_of(int fd) {
    const File* file = file_of(fd);
    return file == nullptr || file->hung_up ? nullptr : file->terminal;
}

long no_terminal(int fd) {
    const File* file = file_of(fd);
    return file == nullptr ? -EBADF : file->hung_up ? -EIO : -ENOTTY;
}

/// TIOCSCTTY: of a session's first process.
long become_controlling(Terminal& terminal) {
    if (self->session != self->pid || (terminal.session != 0 && terminal.session != self->pid)) {
        return -EPERM;
    }
    terminal.session = self->session;
    terminal.foreground = self->group;
    return 0;
}

}  // namespace

long terminal_ioctl(File* file, unsigned long request, void* argument) {
    if (file->terminal == nullptr || file->hung_up) {
        return file->hung_up ? -EIO : -ENOTTY;
    }
    Terminal& terminal = *file->terminal;
    const bool master = file->kind == FileKind::master;
    switch (request) {
        case TIOCGWINSZ:
            std::memcpy(argument, &terminal.size, sizeof terminal.size);
            return 0;
        case TIOCSWINSZ:
            resize_terminal(terminal, *static_cast<const winsize*>(argument));
            return 0;
        case TIOCSCTTY:
            return master ? -ENOTTY : become_controlling(terminal);
        case TIOCSPTLCK:
            return master ? 0 : -ENOTTY;
        case TIOCGPTN: {
            if (!master) {
                return -ENOTTY;
            }
            const unsigned number = minor(terminal.node->device);
            std::memcpy(argument, &number, sizeof number);
            return 0;
        }
        case TIOCGPTPEER:
            return master ? open_slave(terminal, static_cast<int>(reinterpret_cast<long>(argument)))
                          : -ENOTTY;
        default:
            not_simulated(fmt::format("ioctl {:x} of a terminal", request).c_str());
    }
}

// The C library's names. NOLINTBEGIN(readability-identifier-naming)

SIM_WRAP(int, isatty, (int fd), (fd)) {
    const bool is = terminal_of(fd) != nullptr;
    if (!is) {
        errno = static_cast<int>(-no_terminal(fd));
    }
    return is ? 1 : 0;
}
SIM_WRAP(int, tcgetattr, (int fd, termios* out), (fd, out)) {
    SIM_ENTER("tcgetattr", none, "{}", fd);
    const Terminal* terminal = terminal_of(fd);
    if (terminal == nullptr) {
        return end_call(no_terminal(fd));
    }
    *out = terminal->settings;
    return end_call(0);
}
/// Without job control: nobody is stopped by SIGTTOU.
SIM_WRAP(int, tcsetattr, (int fd, int when, const termios* value), (fd, when, value)) {
    SIM_ENTER("tcsetattr", none, "{} {:x}", fd, value->c_lflag);
    Terminal* terminal = terminal_of(fd);
    if (terminal == nullptr) {
        return end_call(no_terminal(fd));
    }
    terminal->settings = *value;
    wake(terminal);
    return end_call(0);
}
SIM_WRAP(int, tcsetpgrp, (int fd, pid_t group), (fd, group)) {
    SIM_ENTER("tcsetpgrp", none, "{} {}", fd, group);
    Terminal* terminal = terminal_of(fd);
    if (terminal == nullptr || terminal->session != self->session) {
        return end_call(terminal == nullptr ? no_terminal(fd) : -ENOTTY);
    }
    const Process* leader = find_process(group);
    terminal->foreground = leader != nullptr ? leader->group : group;
    return end_call(0);
}

// NOLINTEND(readability-identifier-naming)

}  // namespace knarr::sim
