#include "platform/raw_terminal.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <unistd.h>

#include "platform/process.h"

namespace knarr::sys {

namespace {

termios raw_of(const termios& before) {
    termios raw = before;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST;  // as containerd's console does: the container's side writes bare LF
    return raw;
}

Result<> apply(const Fd& terminal, const termios& settings) {
    // With SIGTTOU held back a background process would change what the foreground is using.
    sigset_t job_control;
    sigset_t before;
    sigemptyset(&job_control);
    sigaddset(&job_control, SIGTTOU);
    sigprocmask(SIG_UNBLOCK, &job_control, &before);
    int done = 0;
    while ((done = tcsetattr(terminal.get(), TCSANOW, &settings)) != 0 && errno == EINTR) {
    }
    const int error = errno;
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return done == 0 ? Result<>{} : fail_errno(error, "set the terminal's mode");
}

/// Waits until nobody holds the other end of `alive`, then restores. It is in a process group of
/// its own, so that what kills the client's group does not reach it.
[[noreturn]] void guard(const Fd& terminal, const Fd& alive, const termios& before) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    static_cast<void>(std::signal(SIGTTOU, SIG_IGN));
    setpgid(0, 0);
    if (!keep_only({terminal.get(), alive.get()})) {
        _exit(1);
    }
    close(0);
    close(1);
    close(2);
    std::array<char, 1> nothing{};
    static_cast<void>(read_some(alive, nothing));
    tcsetattr(terminal.get(), TCSANOW, &before);
    _exit(0);
}

}  // namespace

Result<RawTerminal> RawTerminal::enter(Fd terminal) {
    termios before{};
    if (tcgetattr(terminal.get(), &before) != 0) {
        return fail_errno(errno, "read the terminal's mode");
    }
    RawTerminal raw(std::move(terminal), before);
    KNARR_TRY(raw.start_guard());
    KNARR_TRY(raw.enter_again());
    return raw;
}

RawTerminal::~RawTerminal() {
    if (!terminal_.valid()) {
        return;
    }
    tcsetattr(terminal_.get(), TCSANOW, &before_);
    if (guard_.valid()) {
        kill_and_reap(guard_);
    }
}

Result<> RawTerminal::enter_again() {
    return apply(terminal_, raw_of(before_));
}

Result<> RawTerminal::start_guard() {
    Pipe pipe = KNARR_TRY(make_pipe());
    Clone clone = KNARR_TRY(clone_process(0), "start the terminal's guard");
    if (clone.in_child()) {
        pipe.write.reset();
        guard(terminal_, pipe.read, before_);
    }
    alive_ = std::move(pipe.write);
    guard_ = std::move(clone.pidfd);
    return {};
}

}  // namespace knarr::sys
