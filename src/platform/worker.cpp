#include "platform/worker.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/text.h"
#include "platform/capability.h"
#include "platform/file.h"
#include "platform/mount.h"
#include "platform/pidfd.h"
#include "platform/process.h"
#include "platform/signal.h"
#include "platform/socket.h"
#include "platform/standard_stream.h"
#include "platform/task.h"

namespace knarr::sys {

namespace {

// The result as it goes through the pipe: 'v' and the bytes of the value, or 'e' and an ErrorHead,
// then message and hint. Both ends are the same program, so the layout is the compiler's.
struct ErrorHead {
    std::uint32_t message_bytes = 0;
    std::int32_t sys_errno = 0;
    std::uint8_t code = 0;
};

}  // namespace

std::string encode_result(const Result<std::string>& result) {
    if (result) {
        return "v" + *result;
    }
    const Error& error = result.error();
    const ErrorHead head{.message_bytes = static_cast<std::uint32_t>(error.message.size()),
                         .sys_errno = error.sys_errno,
                         .code = static_cast<std::uint8_t>(error.code)};
    std::string out = "e";
    out.append(reinterpret_cast<const char*>(&head), sizeof head);
    return out + error.message + error.hint;
}

Result<std::string> decode_result(std::string_view bytes) {
    if (bytes.starts_with('v')) {
        return std::string(bytes.substr(1));
    }
    ErrorHead head;
    if (bytes.size() < 1 + sizeof head || bytes[0] != 'e') {
        return fail(Errc::internal, "the worker sent no result");
    }
    std::memcpy(&head, bytes.data() + 1, sizeof head);
    const std::string_view rest = bytes.substr(1 + sizeof head);
    if (head.message_bytes > rest.size() || head.code > static_cast<std::uint8_t>(Errc::internal)) {
        return fail(Errc::internal, "the worker sent a malformed result");
    }
    constexpr std::size_t kMaxText = 8192;
    return fail(Error{.code = static_cast<Errc>(head.code),
                      .sys_errno = head.sys_errno,
                      .message = printable(rest.substr(0, head.message_bytes), kMaxText),
                      .hint = printable(rest.substr(head.message_bytes), kMaxText)});
}

namespace {

Result<> limit_memory(std::uint64_t bytes) {
    const std::string statm = KNARR_TRY(read_file("/proc/self/statm", 256));
    const auto pages = parse_number(statm.substr(0, statm.find(' ')));
    if (!pages) {
        return fail(Errc::internal, "/proc/self/statm is not understood");
    }
    const std::uint64_t now = *pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    return set_rlimit(RLIMIT_AS, now + bytes, now + bytes);
}

Result<> jail_self(const WorkerJail& jail, const SeccompProgram& filter, const Fd& result) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        return fail_errno(errno, "prctl PR_SET_PDEATHSIG");
    }
    // The parent may have died before that line: then nobody holds the pipe's other end.
    pollfd end{.fd = result.get(), .events = 0, .revents = 0};
    if (poll(&end, 1, 0) > 0 && (end.revents & POLLERR) != 0) {
        return fail(Errc::interrupted, "the parent is gone");
    }
    KNARR_TRY(set_rlimit(RLIMIT_CORE, 0, 0));
    if (jail.max_memory_bytes != 0) {
        KNARR_TRY(limit_memory(jail.max_memory_bytes));
    }
    KNARR_TRY(null_standard_streams());
    std::vector<int> keep{result.get(), jail.root->get()};
    for (const Fd* fd : jail.keep) {
        keep.push_back(fd->get());
    }
    KNARR_TRY(keep_only(std::move(keep)));
    KNARR_TRY(chroot_to(*jail.root));
    set_umask(0);
    ignore_broken_pipes();  // who writes to one that is gone says so
    KNARR_TRY(set_no_new_privs());
    KNARR_TRY(drop_bounding(jail.capabilities));
    // Without inheritable ones the ambient ones go too.
    KNARR_TRY(set_thread_caps(jail.capabilities, jail.capabilities, 0));
    KNARR_TRY(load_seccomp(filter));
    return {};
}

}  // namespace

Worker& Worker::operator=(Worker&& other) noexcept {
    if (this != &other) {
        stop();
        pidfd_ = std::move(other.pidfd_);
        result_ = std::move(other.result_);
        max_result_bytes_ = other.max_result_bytes_;
    }
    return *this;
}

Result<Worker> Worker::start(const WorkerJail& jail,
                             const std::function<Result<std::string>()>& body) {
    if (geteuid() != 0) {
        return fail(Error{.code = Errc::denied,
                          .message = "a jailed worker needs root",
                          .hint = "run knarr as root"});
    }
    const SeccompProgram filter = KNARR_TRY(worker_filter(jail.calls));
    Pipe pipe = KNARR_TRY(make_pipe());
    constexpr std::uint64_t kNamespaces =
        CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    Clone clone = KNARR_TRY(clone_process(kNamespaces), "start worker");
    if (clone.in_child()) {
        pipe.read.reset();
        Result<> jailed = jail_self(jail, filter, pipe.write);
        const Result<std::string> result =
            jailed ? body() : Result<std::string>(fail(std::move(jailed).error().within("jail")));
        // The parent sees a failed write as a missing result.
        (void)write_all(pipe.write, encode_result(result));
        _exit(0);
    }
    Worker worker;
    worker.pidfd_ = std::move(clone.pidfd);
    worker.result_ = std::move(pipe.read);
    worker.max_result_bytes_ = jail.max_result_bytes;
    return worker;
}

Result<std::string> Worker::finish() {
    auto bytes = read_all(result_, max_result_bytes_);
    if (!bytes) {
        stop();
        return fail(std::move(bytes).error().within("read the worker's result"));
    }
    const ExitStatus status = KNARR_TRY(reap(pidfd_), "wait for the worker");
    pidfd_.reset();
    result_.reset();
    if (status.signaled) {
        return fail(Errc::internal,
                    "the worker was killed by {}{}",
                    signal_name(status.value),
                    status.value == SIGSYS ? " (a system call that it may not make)"
                    : status.value == SIGKILL || status.value == SIGABRT ? " (out of memory?)"
                                                                         : "");
    }
    return decode_result(*bytes);
}

void Worker::stop() {
    if (pidfd_.valid()) {
        kill_and_reap(pidfd_);
        pidfd_.reset();
    }
    result_.reset();
}

}  // namespace knarr::sys
