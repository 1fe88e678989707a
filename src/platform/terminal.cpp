#include "platform/terminal.h"

#include <cerrno>

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <termios.h>

#include "platform/file.h"
#include "platform/process.h"

namespace knarr::sys {

Result<Terminal> make_terminal(const Fd& root) {
    Terminal terminal;
    terminal.master =
        KNARR_TRY(open_how(root,
                           "dev/pts/ptmx",
                           O_RDWR | O_NOCTTY,
                           RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS),
                  "open a terminal");
    struct statfs fs{};
    if (fstatfs(terminal.master.get(), &fs) != 0 || fs.f_type != DEVPTS_SUPER_MAGIC) {
        return fail(Errc::denied, "/dev/pts/ptmx in the container is not on a devpts");
    }
    int unlock = 0;
    if (ioctl(terminal.master.get(), TIOCSPTLCK, &unlock) != 0) {
        return fail_errno(errno, "unlock the terminal");
    }
    terminal.slave = Fd(ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    if (!terminal.slave.valid()) {
        return fail_errno(errno, "open the terminal's slave");
    }
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

Result<> become_foreground_of(const Fd& slave) {
    if (ioctl(slave.get(), TIOCSCTTY, 0) != 0) {
        return fail_errno(errno, "make the terminal the controlling one");
    }
    for (int i = 0; i < 3; ++i) {
        KNARR_TRY(replace_fd(slave, i));
    }
    return {};
}

}  // namespace knarr::sys
