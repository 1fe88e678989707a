// knarr-init: pid 1 of a container with --init. It runs one program, hands signals on to it, reaps
// what other processes leave behind, and ends as the program does. A static file that containers of
// any image see at bundle::kInitTarget.

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <unistd.h>

#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/signal.h"
#include "platform/terminal.h"

namespace knarr {

namespace {

// docker's and the shell's.
constexpr int kUsage = 2, kCannotExecute = 126, kNotFound = 127, kOwnFailure = 125;

int complain(const char* what, const std::string& why, int status) {
    static_cast<void>(std::fprintf(stderr, "knarr-init: %s: %s\n", what, why.c_str()));
    return status;
}

/// The child: the program. Returns its exit status when it cannot be executed.
int become(char* const* words) {
    sys::lead_foreground_group();
    sys::reset_signals();
    execvp(words[0], words);
    const int error = errno;
    return complain(words[0], std::strerror(error), error == ENOENT ? kNotFound : kCannotExecute);
}

Result<int> run(char* const* words) {
    sys::SignalFd signals = KNARR_TRY(sys::SignalFd::open());
    const sys::Clone child = KNARR_TRY(sys::clone_process(0));
    if (child.in_child()) {
        _exit(become(words));
    }
    while (true) {
        KNARR_TRY(signals.wait_with(child.pidfd));
        while (const auto signal = KNARR_TRY(signals.next())) {
            if (sys::is_forwardable(*signal)) {
                // It may have ended, which the next look finds.
                static_cast<void>(sys::pidfd_send_signal(child.pidfd, *signal));
            }
        }
        while (const auto reaped = sys::reap_any()) {
            if (reaped->pid == child.pid) {
                return reaped->status.code();
            }
        }
    }
}

}  // namespace

}  // namespace knarr

int main(int argc, char** argv) {
    char** words = argv + (argc > 0 ? 1 : 0);
    if (*words != nullptr && std::strcmp(*words, "--") == 0) {
        ++words;
    }
    if (*words == nullptr) {
        return knarr::complain("usage", "knarr-init -- PROGRAM [ARGUMENT...]", knarr::kUsage);
    }
    const auto code = knarr::run(words);
    return code ? *code : knarr::complain(*words, code.error().message, knarr::kOwnFailure);
}
