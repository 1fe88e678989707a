#include "platform/signal.h"

#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/ascii.h"
#include "core/text.h"

namespace knarr::sys {

namespace {

// Source: signal(7), the numbers of x86 and arm; index is the number.
constexpr std::array<std::string_view, 32> kNames{
    "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
static_assert(SIGUSR1 == 10 && SIGSYS == 31, "another numbering of signals");

struct Alias {
    std::string_view name;
    int number;
};
constexpr std::array kAliases{Alias{"IOT", SIGABRT}, Alias{"POLL", SIGIO}, Alias{"CLD", SIGCHLD}};

std::optional<int> number_of(std::string_view name) {
    for (std::size_t i = 1; i < kNames.size(); ++i) {
        if (kNames[i] == name) {
            return static_cast<int>(i);
        }
    }
    for (const Alias& alias : kAliases) {
        if (alias.name == name) {
            return alias.number;
        }
    }
    const bool from_min = name.starts_with("RTMIN");
    if (!from_min && !name.starts_with("RTMAX")) {
        return std::nullopt;
    }
    const int base = from_min ? kSigRtMin : kSigRtMax;
    name.remove_prefix(5);
    if (name.empty()) {
        return base;
    }
    if (name.front() != (from_min ? '+' : '-')) {
        return std::nullopt;
    }
    const auto offset = parse_number(name.substr(1), kSigRtMax - kSigRtMin);
    if (!offset) {
        return std::nullopt;
    }
    return from_min ? base + static_cast<int>(*offset) : base - static_cast<int>(*offset);
}

}  // namespace

Result<int> parse_signal(std::string_view text) {
    if (const auto number = parse_number(text, kMaxSignal)) {
        return static_cast<int>(*number);
    }
    const std::string upper = to_upper(std::string(text));
    std::string_view name(upper);
    if (name.starts_with("SIG")) {
        name.remove_prefix(3);
    }
    if (const auto number = number_of(name)) {
        return *number;
    }
    return fail(
        Errc::invalid_argument,
        "\"{}\" is no signal: give a number from 0 to {} or a name such as TERM, SIGKILL or "
        "RTMIN+3",
        printable(text),
        kMaxSignal);
}

std::string signal_name(int number) {
    if (number > 0 && number < static_cast<int>(kNames.size())) {
        return fmt::format("SIG{}", kNames[static_cast<std::size_t>(number)]);
    }
    if (number == kSigRtMin || number == kSigRtMax) {
        return number == kSigRtMin ? "SIGRTMIN" : "SIGRTMAX";
    }
    if (number > kSigRtMin && number < kSigRtMax) {
        return fmt::format("SIGRTMIN+{}", number - kSigRtMin);
    }
    return fmt::format("signal {}", number);
}

bool is_forwardable(int number) {
    switch (number) {
        case SIGKILL:
        case SIGSTOP:
        case SIGSEGV:
        case SIGBUS:
        case SIGFPE:
        case SIGILL:
        case SIGTRAP:
        case SIGSYS:
        case SIGABRT:
        case SIGPIPE:
        case SIGCHLD:
            return false;
        default:
            return (number >= 1 && number <= 31) || (number >= kSigRtMin && number <= kSigRtMax);
    }
}

Result<SignalFd> SignalFd::open() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (int number = 1; number <= kMaxSignal; ++number) {
        if (is_forwardable(number)) {
            sigaddset(&wanted, number);
        }
    }
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGPIPE);
    return hold(wanted);
}

Result<SignalFd> SignalFd::open_ending() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction found{};
        // A signal that is held back is read even when it is ignored.
        if (sigaction(number, nullptr, &found) == 0 && found.sa_handler != SIG_IGN) {
            sigaddset(&wanted, number);
        }
    }
    return hold(wanted);
}

Result<SignalFd> SignalFd::hold(const sigset_t& wanted) {
    const int fd = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) {
        return fail_errno(errno, "signalfd");
    }
    Fd owned(fd);
    sigset_t before;
    if (sigprocmask(SIG_BLOCK, &wanted, &before) != 0) {
        return fail_errno(errno, "sigprocmask");
    }
    return SignalFd(std::move(owned), before);
}

SignalFd::SignalFd(SignalFd&& other) noexcept : fd_(std::move(other.fd_)), before_(other.before_) {}

SignalFd::~SignalFd() {
    if (fd_.valid()) {
        sigprocmask(SIG_SETMASK, &before_, nullptr);
    }
}

Result<std::optional<int>> SignalFd::next() {
    signalfd_siginfo info{};
    while (read(fd_.get(), &info, sizeof info) < 0) {
        if (errno == EAGAIN) {
            return std::nullopt;
        }
        if (errno != EINTR) {
            return fail_errno(errno, "read signalfd");
        }
    }
    return static_cast<int>(info.ssi_signo);
}

Result<bool> SignalFd::wait_with(const Fd& other) {
    pollfd wanted[] = {{.fd = other.get(), .events = POLLIN, .revents = 0},
                       {.fd = fd_.get(), .events = POLLIN, .revents = 0}};
    while (poll(wanted, 2, -1) < 0) {
        if (errno != EINTR) {
            return fail_errno(errno, "poll");
        }
    }
    return wanted[0].revents != 0;
}

}  // namespace knarr::sys
