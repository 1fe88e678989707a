// Pseudo terminals: what is typed on its way to the program, what the program writes on its way to
// the screen, and who is told of a window's size and end.

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fmt/format.h>

#include "sim/calls.h"
#include "sim/world.h"

namespace knarr::sim {

namespace {

constexpr std::size_t kMostTyped = 4096, kMostShown = 8192;
constexpr char kCtrlC = 3, kCtrlBackslash = 28, kCtrlD = 4, kDelete = 127;

termios usual_settings() {
    termios settings{};
    settings.c_iflag = ICRNL | IXON;
    settings.c_oflag = OPOST | ONLCR;
    settings.c_cflag = CS8 | CREAD;
    settings.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN;
    settings.c_cc[VINTR] = kCtrlC;
    settings.c_cc[VQUIT] = kCtrlBackslash;
    settings.c_cc[VEOF] = kCtrlD;
    settings.c_cc[VERASE] = kDelete;
    settings.c_cc[VMIN] = 1;
    return settings;
}

bool has(tcflag_t flags, tcflag_t one) {
    return (flags & one) != 0;
}

void show(Terminal& terminal, char c) {
    const auto put = [&](char one) {
        if (terminal.is_window) {
            terminal.screen += one;
        } else {
            terminal.shown.push_back(one);
        }
    };
    if (c == '\n' && has(terminal.settings.c_oflag, OPOST) &&
        has(terminal.settings.c_oflag, ONLCR)) {
        put('\r');
    }
    put(c);
}

/// Whether a key was a signal's.
bool type_signal(Terminal& terminal, char c) {
    if (!has(terminal.settings.c_lflag, ISIG) || (c != kCtrlC && c != kCtrlBackslash)) {
        return false;
    }
    terminal.typed.clear();
    terminal.lines = 0;
    signal_group(terminal.foreground, c == kCtrlC ? SIGINT : SIGQUIT);
    return true;
}

void type_one(Terminal& terminal, char c) {
    c = c == '\r' && has(terminal.settings.c_iflag, ICRNL) ? '\n' : c;
    if (type_signal(terminal, c)) {
        return;
    }
    const bool lines = has(terminal.settings.c_lflag, ICANON);
    if (lines && c == kDelete) {
        if (!terminal.typed.empty() && terminal.typed.back() != '\n' &&
            terminal.typed.back() != kEndTyped) {
            terminal.typed.pop_back();
        }
        return;
    }
    const bool end = lines && c == kCtrlD;
    terminal.typed.push_back(end ? kEndTyped : static_cast<unsigned char>(c));
    terminal.lines += lines && (end || c == '\n') ? 1 : 0;
    if (has(terminal.settings.c_lflag, ECHO) && !end) {
        show(terminal, c);
    }
}

bool can_read(const Terminal& terminal) {
    return has(terminal.settings.c_lflag, ICANON) ? terminal.lines > 0 : !terminal.typed.empty();
}

/// A line, or whatever there is.
long take_typed(Terminal& terminal, char* to, std::size_t bytes) {
    const bool lines = has(terminal.settings.c_lflag, ICANON);
    std::size_t count = 0;
    while (count < bytes && !terminal.typed.empty()) {
        const int one = terminal.typed.front();
        terminal.typed.pop_front();
        const bool ends = one == '\n' || one == kEndTyped;
        terminal.lines -= ends && terminal.lines > 0 ? 1 : 0;
        if (one != kEndTyped) {
            to[count++] = static_cast<char>(one);
        }
        if (lines && ends) {
            break;
        }
    }
    wake(&terminal);
    return static_cast<long>(count);
}

long take_shown(Terminal& terminal, char* to, std::size_t bytes) {
    const std::size_t count = std::min(bytes, terminal.shown.size());
    const auto end = terminal.shown.begin() + static_cast<std::ptrdiff_t>(count);
    std::copy(terminal.shown.begin(), end, to);
    terminal.shown.erase(terminal.shown.begin(), end);
    wake(&terminal);
    return static_cast<long>(count);
}

bool is_left(const Terminal& terminal) {
    return terminal.was_opened && terminal.slaves.empty();
}

/// How much of it may come in now.
std::size_t room_for(const File& file) {
    const Terminal& terminal = *file.terminal;
    const bool master = file.kind == FileKind::master;
    const std::size_t most = master ? kMostTyped : kMostShown;
    const std::size_t held = master ? terminal.typed.size() : terminal.shown.size();
    return most - std::min(most, held);
}

}  // namespace

Terminal* new_terminal() {
    auto* terminal = make<Terminal>();
    terminal->settings = usual_settings();
    terminal->node = new_inode(Kind::device, S_IFCHR | 0620);
    terminal->node->terminal = terminal;
    world->terminals.push_back(terminal);
    return terminal;
}

File* open_master(Inode* ptmx, int flags) {
    Terminal* terminal = new_terminal();
    File* file = new_file(FileKind::master, flags);
    file->inode = ptmx;
    file->terminal = terminal;
    terminal->masters = 1;
    unsigned number = 0;
    while (ptmx->parent->entries.contains(Text(fmt::format("{}", number)))) {
        ++number;
    }
    terminal->node->device = makedev(136, number);
    add_entry(ptmx->parent, fmt::format("{}", number), terminal->node);
    return file;
}

long open_slave(Terminal& terminal, int flags) {
    if (terminal.masters == 0) {
        return -EIO;
    }
    File* file = new_file(FileKind::slave, flags);
    file->inode = terminal.node;
    file->terminal = &terminal;
    terminal.slaves.push_back(file);
    terminal.was_opened = true;
    return install(file, (flags & O_CLOEXEC) != 0);
}

void hang_up(Terminal& terminal) {
    for (File* slave : terminal.slaves) {
        slave->hung_up = true;
    }
    terminal.slaves.clear();
    const pid_t group = std::exchange(terminal.foreground, 0);
    terminal.session = 0;
    wake(&terminal);
    signal_group(group, SIGHUP);
    signal_group(group, SIGCONT);
}

void close_terminal(File* file) {
    Terminal& terminal = *file->terminal;
    if (file->kind == FileKind::slave) {
        std::erase(terminal.slaves, file);
    } else if (--terminal.masters == 0) {
        if (terminal.node->parent != nullptr) {
            remove_entry(terminal.node->parent, view(terminal.node->name));
        }
        hang_up(terminal);
    }
    wake(&terminal);
}

long read_terminal(File* file, char* to, std::size_t bytes) {
    Terminal& terminal = *file->terminal;
    const bool master = file->kind == FileKind::master;
    while (true) {
        if (master ? !terminal.shown.empty() : can_read(terminal) && !file->hung_up) {
            return master ? take_shown(terminal, to, bytes) : take_typed(terminal, to, bytes);
        }
        if (master ? is_left(terminal) : file->hung_up) {
            return master ? -EIO : 0;
        }
        if ((file->flags & O_NONBLOCK) != 0) {
            return -EAGAIN;
        }
        if (interrupted()) {
            return -EINTR;
        }
        wait_on({&terminal}, -1);
    }
}

void type_into(Terminal& terminal, std::string_view bytes) {
    for (const char c : bytes) {
        type_one(terminal, c);
    }
    wake(&terminal);
}

long write_terminal(File* file, const char* from, std::size_t bytes) {
    Terminal& terminal = *file->terminal;
    std::size_t done = 0;
    while (done < bytes) {
        if (file->hung_up || terminal.masters == 0) {
            return -EIO;
        }
        const std::size_t room = terminal.is_window ? bytes : room_for(*file);
        const std::size_t count = std::min(room, bytes - done);
        if (file->kind == FileKind::master) {
            type_into(terminal, {from + done, count});
        } else {
            for (std::size_t i = 0; i < count; ++i) {
                show(terminal, from[done + i]);
            }
            wake(&terminal);
        }
        done += count;
        if (count == 0) {
            if ((file->flags & O_NONBLOCK) != 0 || interrupted()) {
                const int error = interrupted() ? EINTR : EAGAIN;
                return done > 0 ? static_cast<long>(done) : -error;
            }
            wait_on({&terminal}, -1);
        }
    }
    return static_cast<long>(done);
}

void resize_terminal(Terminal& terminal, const winsize& size) {
    const bool same = terminal.size.ws_row == size.ws_row && terminal.size.ws_col == size.ws_col;
    terminal.size = size;
    if (!same) {
        signal_group(terminal.foreground, SIGWINCH);
    }
}

void leave_terminals(const Process& leader) {
    for (Terminal* terminal : world->terminals) {
        if (terminal->session != 0 && terminal->session == leader.pid &&
            leader.session == leader.pid) {
            terminal->session = 0;
            signal_group(std::exchange(terminal->foreground, 0), SIGHUP);
        }
    }
}

unsigned terminal_readiness(const File& file) {
    const Terminal& terminal = *file.terminal;
    const bool master = file.kind == FileKind::master;
    const bool over = master ? is_left(terminal) : file.hung_up;
    unsigned ready = 0;
    if (master ? !terminal.shown.empty() : can_read(terminal) || over) {
        ready |= POLLIN;
    }
    if (over) {
        ready |= POLLHUP;
    }
    if (!over && (terminal.is_window || room_for(file) > 0)) {
        ready |= POLLOUT;
    }
    return ready;
}

}  // namespace knarr::sim
