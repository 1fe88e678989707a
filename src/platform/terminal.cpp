#include "platform/terminal.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <termios.h>
#include <unistd.h>

#include "platform/file.h"
#include "platform/process.h"

namespace knarr::sys {

Result<Terminal> make_terminal(const Fd& root) {
    Terminal terminal;
    constexpr std::uint64_t kPlain = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    // Opening a node acts on what it stands for. In a devpts are only the kernel's; what is mounted
    // on one of them is another file system.
    const Fd pts =
        KNARR_TRY(open_how(root, "dev/pts", O_PATH | O_DIRECTORY, kPlain), "open a terminal");
    struct statfs fs{};
    if (fstatfs(pts.get(), &fs) != 0 || fs.f_type != DEVPTS_SUPER_MAGIC) {
        return fail(Errc::denied, "/dev/pts in the container is not a devpts");
    }
    terminal.master = KNARR_TRY(open_how(pts, "ptmx", O_RDWR | O_NOCTTY, kPlain | RESOLVE_NO_XDEV),
                                "open a terminal");
    int unlock = 0;
    if (ioctl(terminal.master.get(), TIOCSPTLCK, &unlock) != 0) {
        return fail_errno(errno, "unlock the terminal");
    }
    terminal.slave = KNARR_TRY(open_slave(terminal.master));
    termios settings{};
    if (tcgetattr(terminal.slave.get(), &settings) == 0) {
        settings.c_oflag &= ~static_cast<tcflag_t>(ONLCR);
        tcsetattr(terminal.slave.get(), TCSANOW, &settings);
    }
    return terminal;
}

Result<> set_terminal_size(const Fd& terminal, std::uint32_t rows, std::uint32_t columns) {
    winsize size{};
    size.ws_row = static_cast<unsigned short>(rows);
    size.ws_col = static_cast<unsigned short>(columns);
    if (ioctl(terminal.get(), TIOCSWINSZ, &size) != 0) {
        return fail_errno(errno, "set the terminal's size");
    }
    return {};
}

std::optional<TerminalSize> terminal_size(const Fd& terminal) {
    winsize size{};
    if (ioctl(terminal.get(), TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
        return std::nullopt;
    }
    return TerminalSize{.rows = size.ws_row, .columns = size.ws_col};
}

bool is_terminal(const Fd& fd) {
    return isatty(fd.get()) == 1;
}

std::optional<TerminalInput> terminal_input(const Fd& slave) {
    termios settings{};
    pollfd unread{.fd = slave.get(), .events = POLLIN, .revents = 0};
    if (tcgetattr(slave.get(), &settings) != 0 || poll(&unread, 1, 0) < 0 ||
        (unread.revents & POLLHUP) != 0) {
        return std::nullopt;
    }
    // Line editors leave the output's side alone; what calls cfmakeraw(3) does not.
    const bool lines = (settings.c_lflag & ICANON) != 0;
    const bool edited = (settings.c_oflag & OPOST) != 0;
    return TerminalInput{.mode = lines    ? TerminalInput::Mode::lines
                                 : edited ? TerminalInput::Mode::edited
                                          : TerminalInput::Mode::bytes,
                         .end = static_cast<char>(settings.c_cc[VEOF]),
                         .has_unread = (unread.revents & POLLIN) != 0};
}

Result<Fd> open_slave(const Fd& master) {
    Fd slave(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!slave.valid()) {
        return fail_errno(errno, "open the terminal's slave");
    }
    return slave;
}

std::optional<Fd> open_standard(int number) {
    struct stat entry{};
    const int flags = fcntl(number, F_GETFL);
    if (flags < 0 || fstat(number, &entry) != 0) {
        return std::nullopt;
    }
    unsigned index = 0;
    // Opening the path of a master would make another terminal.
    const bool master = ioctl(number, TIOCGPTN, &index) == 0;
    if (S_ISFIFO(entry.st_mode) || (isatty(number) == 1 && !master)) {
        const std::string path = fmt::format("/proc/self/fd/{}", number);
        Fd own(open(path.c_str(), (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        if (own.valid()) {
            return own;
        }
    }
    Fd copy(fcntl(number, F_DUPFD_CLOEXEC, 3));
    return copy.valid() ? std::optional(std::move(copy)) : std::nullopt;
}

std::optional<Fd> open_standard_terminal() {
    for (int number = 0; number < 3; ++number) {
        std::optional<Fd> stream = open_standard(number);
        if (stream && is_terminal(*stream)) {
            return stream;
        }
    }
    return std::nullopt;
}

Result<> become_foreground_of(const Fd& slave) {
    if (ioctl(slave.get(), TIOCSCTTY, 0) != 0) {
        return fail_errno(errno, "make the terminal the controlling one");
    }
    for (int i = 0; i < 3; ++i) {
        KNARR_TRY(replace_fd(slave, i));
    }
    return {};
}

void lead_foreground_group() {
    // Both fail only where there is nothing to lead: a session's leader, no terminal.
    static_cast<void>(setpgid(0, 0));
    static_cast<void>(tcsetpgrp(STDIN_FILENO, getpid()));
}

}  // namespace knarr::sys
