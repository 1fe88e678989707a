#include "platform/network_maker.h"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace knarr::sys {

namespace {

/// A system call without the C library, whose errno belongs to the process that we share it with.
long bare_syscall(long number, long first, long second, long third) {
#if defined(__x86_64__)
    long result = 0;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(first), "S"(second), "d"(third)
                 : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 asm("x8") = number;
    register long x0 asm("x0") = first;
    register long x1 asm("x1") = second;
    register long x2 asm("x2") = third;
    asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
#else
    return -ENOSYS;
#endif
}

}  // namespace

int NetworkMaker::make(void* self) {
    static constexpr const char* kOwn = "/proc/self/ns/net";
    auto* maker = static_cast<NetworkMaker*>(self);
    if (bare_syscall(SYS_unshare, CLONE_NEWNET, 0, 0) == 0) {
        maker->made_ = static_cast<int>(
            bare_syscall(SYS_openat, AT_FDCWD, reinterpret_cast<long>(kOwn), O_RDONLY | O_CLOEXEC));
    }
    return 0;
}

NetworkMaker::NetworkMaker() : stack_(std::make_unique<std::array<char, kStackBytes>>()) {
    // No exit signal: nobody but finish() is told of its end.
    pid_ = clone(&make, stack_->data() + stack_->size(), CLONE_VM | CLONE_FILES, this);
}

Fd NetworkMaker::finish() {
    if (pid_ > 0) {
        while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {
        }
        pid_ = -1;
    }
    Fd made(made_);
    made_ = -1;
    return made;
}

}  // namespace knarr::sys
