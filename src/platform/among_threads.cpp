#include "platform/among_threads.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/fd.h"

namespace knarr::sys {

bool has_other_threads() {
    if (__libc_single_threaded != 0) {
        return false;  // it never had one: no system call on the way of our own programs
    }
    struct stat tasks{};
    constexpr nlink_t kAlone = 3;  // ".", ".." and one thread
    return stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink > kAlone;
}

RawClone clone_among_threads(const std::function<RawClone()>& clone) {
    int told[2];
    if (pipe2(told, O_CLOEXEC) != 0) {
        return {.error = errno};
    }
    const Fd result(told[0]);
    Fd report(told[1]);
    // The process between is to run none of the embedder's handlers.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t between = fork();
    if (between == 0) {
        const RawClone made = clone();
        if (made.pid != 0) {
            static_cast<void>(!write(report.get(), &made, sizeof made));
            _exit(0);
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return made;
    }
    const int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (between < 0) {
        return {.error = error};
    }
    report.reset();
    RawClone made{.error = EIO};  // where somebody killed it
    while (read(result.get(), &made, sizeof made) < 0 && errno == EINTR) {
    }
    while (waitpid(between, nullptr, 0) < 0 && errno == EINTR) {
    }
    return made;
}

}  // namespace knarr::sys
