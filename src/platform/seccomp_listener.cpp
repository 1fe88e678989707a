// Loads a filter that asks a listener. From the load on, any system call of the calling thread may
// wait for whoever holds the listener, who does not have it yet: so another thread, which the
// filter does not bind, hands it over, while the caller makes no system call at all.
//
// The thread shares everything with the caller, the errno of the C library too. That is safe
// because at no time do both work: the one that waits spins on an atomic word.

#include "platform/seccomp_listener.h"

#include <atomic>
#include <cerrno>

#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "platform/socket.h"
#include "platform/unix_socket.h"

namespace knarr::sys {

namespace {

struct Handover {
    // The listener's number, or one of these.
    static constexpr int kNotLoaded = -1, kFailed = -2, kDone = -3;
    std::atomic<int> word = kNotLoaded;
    ListenerReceiver hand_over = nullptr;
    void* context = nullptr;
};

int run_handover(void* argument) {
    auto& handover = *static_cast<Handover*>(argument);
    int fd = Handover::kNotLoaded;
    while ((fd = handover.word.load(std::memory_order_acquire)) == Handover::kNotLoaded) {
        sched_yield();
    }
    if (fd == Handover::kFailed) {
        handover.word.store(Handover::kDone, std::memory_order_release);
        return 0;
    }
    if (!handover.hand_over(handover.context, Fd(fd))) {
        _exit(127);  // of the whole process: its calls would have nobody to ask
    }
    handover.word.store(Handover::kDone, std::memory_order_release);
    return 0;
}

}  // namespace

Result<> load_seccomp_listened(const SeccompProgram& program,
                               ListenerReceiver hand_over,
                               void* context) {
    constexpr std::size_t kStackBytes = std::size_t{256} * 1024;
    void* stack = mmap(nullptr,
                       kStackBytes,
                       PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                       -1,
                       0);
    if (stack == MAP_FAILED) {
        return fail_errno(errno, "mmap a stack");
    }
    // Left to the execve that follows, as the stack is: the thread may still be on its last words.
    auto* handover = new Handover;
    handover->hand_over = hand_over;
    handover->context = context;
    constexpr int kThread =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    if (clone(run_handover, static_cast<char*>(stack) + kStackBytes, kThread, handover) < 0) {
        const int error = errno;
        auto failed = make_errno(error, "start the thread that hands the listener over");
        return fail(error == EAGAIN ? std::move(failed).advise(
                                          "linux.resources.pids.limit leaves no room for it: give "
                                          "the container at least 2")
                                    : std::move(failed));
    }
    Result<Fd> listener = load_seccomp(program);
    handover->word.store(listener ? listener->release() : Handover::kFailed,
                         std::memory_order_release);
    while (handover->word.load(std::memory_order_acquire) != Handover::kDone) {
        // No system call, not even to yield.
    }
    return listener ? Result<>{} : fail(std::move(listener).error());
}

Result<> send_with_fd(const Fd& socket, std::string_view text, const Fd& fd) {
    constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};
    if (setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience) != 0) {
        return fail_errno(errno, "SO_SNDTIMEO");
    }
    // Agents take the descriptor and the whole text by one recvmsg(2), runc's own among them; so
    // much always fits into the empty buffer of a new connection.
    constexpr std::size_t kFirstPart = std::size_t{16} * 1024;
    KNARR_TRY(send_packet(socket, text.substr(0, kFirstPart), &fd));
    return text.size() > kFirstPart ? send_bytes(socket, text.substr(kFirstPart)) : Result<>{};
}

}  // namespace knarr::sys
