#include "platform/thread.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <utility>

#include <sys/eventfd.h>
#include <unistd.h>

namespace knarr::sys {

namespace {

void* run(void* given) {
    const std::unique_ptr<std::function<void()>> work(static_cast<std::function<void()>*>(given));
    (*work)();
    return nullptr;
}

}  // namespace

Result<Fd> make_event() {
    Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event.valid()) {
        return fail_errno(errno, "eventfd");
    }
    return event;
}

void raise_event(const Fd& event) {
    const std::uint64_t one = 1;
    // Fails only where it was raised 2^64 times and is readable all the same.
    static_cast<void>(!write(event.get(), &one, sizeof one));
}

Result<Thread> Thread::start(std::function<void()> work) {
    auto owned = std::make_unique<std::function<void()>>(std::move(work));
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t id{};
    const int error = pthread_create(&id, nullptr, run, owned.get());
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (error != 0) {
        return fail_errno(error, "pthread_create");
    }
    static_cast<void>(owned.release());  // the thread's
    return Thread(id);
}

Thread::Thread(Thread&& other) noexcept
    : id_(other.id_), running_(std::exchange(other.running_, false)) {}

void Thread::join() {
    if (std::exchange(running_, false)) {
        pthread_join(id_, nullptr);
    }
}

}  // namespace knarr::sys
