#pragma once
// Signals by name, and signals as something to read.

#include <csignal>
#include <optional>
#include <string>
#include <string_view>

#include "platform/fd.h"

namespace knarr::sys {

inline constexpr int kMaxSignal = 64;
/// As kill -l and glibc count: 32 and 33 belong to the C library.
inline constexpr int kSigRtMin = 34, kSigRtMax = 64;

/// "TERM", "SIGTERM", "term", "15", "RTMIN", "RTMIN+3", "SIGRTMAX-2"; 0 (no signal, only asks
/// whether the process is there) by number.
/// Errors: invalid_argument.
Result<int> parse_signal(std::string_view text);
/// "SIGTERM", "SIGRTMIN+3"; "signal 33" for those without a name.
std::string signal_name(int number);

/// Whether a parent hands this signal on to its container: not what reports the parent's own
/// faults (SEGV, BUS, ...), its children or a pipe of its own.
bool is_forwardable(int number);

/// Holds back signals of this process, to be read instead of delivered. The destructor restores
/// the mask that was found.
class SignalFd {
public:
    /// All forwardable ones, SIGCHLD and SIGPIPE.
    static Result<SignalFd> open();
    /// INT, TERM and HUP, which ask a program to end; without those that the caller ignores.
    static Result<SignalFd> open_ending();
    SignalFd(SignalFd&& other) noexcept;
    SignalFd& operator=(SignalFd&&) = delete;
    SignalFd(const SignalFd&) = delete;
    SignalFd& operator=(const SignalFd&) = delete;
    ~SignalFd();

    const Fd& fd() const { return fd_; }
    /// The next pending signal; nothing when there is none. Never blocks.
    Result<std::optional<int>> next();
    /// Waits until a signal is pending or `other` is readable; whether `other` is.
    Result<bool> wait_with(const Fd& other);

private:
    static Result<SignalFd> hold(const sigset_t& wanted);
    SignalFd(Fd fd, const sigset_t& before) : fd_(std::move(fd)), before_(before) {}
    Fd fd_;
    sigset_t before_;
};

}  // namespace knarr::sys
