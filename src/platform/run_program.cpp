#include "platform/run_program.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/file.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/spawn.h"
#include "platform/standard_stream.h"
#include "platform/trampoline.h"

namespace knarr::sys {

namespace {

constexpr std::size_t kMaxErrorOutput = 4096;

/// Returns only with an errno.
int execute(const Program& program, char* const* argv, char* const* envp, int report) {
    const Confined& confined = program.confined;
    if (confined.trampoline == nullptr) {
        execve(program.path.c_str(), argv, envp);
        return errno;
    }
    if (confined.prepare) {
        if (const Result<> prepared = confined.prepare(); !prepared) {
            return kTrampolineFilterStage | prepared.error().sys_errno;
        }
    }
    return exec_trampoline(
        *confined.trampoline, program.path.c_str(), argv, envp, report, confined.filter);
}

/// The child's side: stdin, stdout and stderr, then the program; errno to `report` on failure.
[[noreturn]] void become(const Program& program,
                         const Fd& input,
                         const Fd& output,
                         const Fd& errors,
                         const Fd& report,
                         char* const* argv,
                         char* const* envp) {
    if (!program.keep_stdio) {
        setpgid(0, 0);  // one that has our terminal stays in its foreground
    }
    reset_signals();
    const char* own = program.mount_point.c_str();
    const bool mounted =
        program.mount_point.empty() ||
        (unshare(CLONE_NEWNS) == 0 && mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) == 0 &&
         mount(own, own, nullptr, MS_BIND | MS_REC, nullptr) == 0);
    const bool ready = mounted &&
                       (program.keep_stdio ||
                        (replace_fd(input, 0) && replace_fd(output, 1) && replace_fd(errors, 2))) &&
                       close_on_exec_from(3) &&
                       (program.held == nullptr || fcntl(program.held->get(), F_SETFD, 0) == 0);
    const int error = ready ? execute(program, argv, envp, report.get()) : errno;
    static_cast<void>(
        write_all(report, std::string_view(reinterpret_cast<const char*>(&error), sizeof error)));
    _exit(127);
}

/// One of its outputs, and how much of it is kept.
struct Sink {
    Fd from;
    std::size_t max = 0;
    std::string text = {};

    void drain() {
        std::array<char, 4096> buffer;
        ssize_t got = 0;
        while ((got = read(from.get(), buffer.data(), buffer.size())) > 0) {
            const auto room = max - std::min(max, text.size());
            text.append(buffer.data(), std::min(static_cast<std::size_t>(got), room));
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            from.reset();
        }
    }
};

/// The parent's side: feeds stdin and collects what comes until the process has ended.
class Feeder {
public:
    Feeder(const Program& program, Fd input, Sink& output, Sink& errors, const Fd& pidfd)
        : left_(program.input),
          input_(std::move(input)),
          output_(output),
          errors_(errors),
          pidfd_(pidfd),
          deadline_(std::chrono::steady_clock::now() + program.timeout) {}

    /// True when the process ended before the deadline.
    bool run() {
        while (true) {
            std::array<pollfd, 4> polled{
                {{.fd = pidfd_.get(), .events = POLLIN, .revents = 0},
                 {.fd = errors_.from.get(), .events = POLLIN, .revents = 0},
                 {.fd = input_.get(), .events = POLLOUT, .revents = 0},
                 {.fd = output_.from.get(), .events = POLLIN, .revents = 0}}};
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                deadline_ - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                return false;
            }
            const int wait = static_cast<int>(std::min<long long>(left.count() + 1, 60'000));
            if (poll(polled.data(), polled.size(), wait) < 0 && errno != EINTR) {
                return false;
            }
            if (polled[1].revents != 0) {
                errors_.drain();
            }
            if (polled[3].revents != 0) {
                output_.drain();
            }
            if (polled[2].revents != 0) {
                feed();
            }
            if (polled[0].revents != 0) {
                errors_.drain();
                output_.drain();
                return true;
            }
        }
    }

private:
    void feed() {
        const ssize_t put = send(input_.get(), left_.data(), left_.size(), MSG_NOSIGNAL);
        if (put > 0) {
            left_.remove_prefix(static_cast<std::size_t>(put));
        }
        if (left_.empty() || (put < 0 && errno != EAGAIN && errno != EINTR)) {
            input_.reset();  // a hook that does not read its stdin is no failure
        }
    }

    std::string_view left_;
    Fd input_;
    Sink& output_;
    Sink& errors_;
    const Fd& pidfd_;
    std::chrono::steady_clock::time_point deadline_;
};

}  // namespace

Result<Ended> run_program(const Program& program) {
    int ends[2];
    // A socket as stdin: a write to a program that is gone is an error here, not a signal.
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return fail_errno(errno, "socketpair");
    }
    Fd input(ends[0]);
    Fd input_end(ends[1]);
    Pipe errors = KNARR_TRY(make_pipe());
    Pipe report = KNARR_TRY(make_pipe());
    Pipe output;
    if (program.max_output > 0) {
        output = KNARR_TRY(make_pipe());
        fcntl(output.read.get(), F_SETFL, O_NONBLOCK);
    } else {
        output.write = KNARR_TRY(open_null(O_WRONLY));
    }
    fcntl(input.get(), F_SETFL, O_NONBLOCK);
    fcntl(errors.read.get(), F_SETFL, O_NONBLOCK);
    const std::vector<char*> argv = exec_pointers(program.args);
    const std::vector<char*> envp = exec_pointers(program.env);

    Clone clone = KNARR_TRY(clone_process(0));
    if (clone.in_child()) {
        become(program,
               input_end,
               program.output != nullptr ? *program.output : output.write,
               program.errors != nullptr ? *program.errors : errors.write,
               report.write,
               argv.data(),
               envp.data());
    }
    input_end.reset();
    output.write.reset();
    errors.write.reset();
    report.write.reset();
    int exec_errno = 0;
    const auto got =
        read_full(report.read, std::span(reinterpret_cast<char*>(&exec_errno), sizeof exec_errno));
    if (got && *got == sizeof exec_errno) {
        kill_and_reap(clone.pidfd);
        const bool confining = (exec_errno & kTrampolineFilterStage) != 0;
        return fail_errno(exec_errno & ~kTrampolineFilterStage,
                          "{} {}",
                          confining ? "load the seccomp filter of" : "execute",
                          printable(program.path));
    }

    Ended ended;
    Sink out{.from = std::move(output.read), .max = program.max_output};
    Sink err{.from = std::move(errors.read), .max = kMaxErrorOutput};
    ended.timed_out = !Feeder(program, std::move(input), out, err, clone.pidfd).run();
    ended.output = std::move(out.text);
    ended.error_output = std::move(err.text);
    if (ended.timed_out && kill(program.keep_stdio ? clone.pid : -clone.pid, SIGKILL) != 0 &&
        errno == EPERM) {
        // One that became another user, which we may no longer reach: it cannot be waited for.
        return fail_errno(EPERM, "kill {} at its timeout", printable(program.path));
    }
    const ExitStatus status = KNARR_TRY(reap(clone.pidfd), "wait for {}", printable(program.path));
    (status.signaled ? ended.signal : ended.exit_code) = status.value;
    return ended;
}

std::optional<std::string> find_program(const std::string& name) {
    const std::string path_variable = environment("PATH");
    for (const std::string_view dir : split(path_variable, ':')) {
        // An empty entry is the current directory, where programs of others may lie.
        std::string path = fmt::format("{}/{}", dir, name);
        if (!dir.empty() && access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return std::nullopt;
}

std::vector<std::string> whole_environment() {
    std::vector<std::string> out;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        out.emplace_back(*entry);
    }
    return out;
}

}  // namespace knarr::sys
