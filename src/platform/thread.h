#pragma once
// A thread beside the program's own, and the descriptor by which one tells another of something.

#include <functional>
#include <memory>

#include <pthread.h>

#include "platform/fd.h"

namespace knarr::sys {

/// An eventfd; readable from raise_event() on, for ever.
Result<Fd> make_event();
void raise_event(const Fd& event);

/// Runs one function with all signals blocked; the destructor waits for its end.
class Thread {
public:
    static Result<Thread> start(std::function<void()> work);
    Thread(Thread&& other) noexcept;
    Thread& operator=(Thread&&) = delete;
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
    ~Thread() { join(); }

    void join();

private:
    explicit Thread(pthread_t id) : id_(id), running_(true) {}
    pthread_t id_;
    bool running_;
};

}  // namespace knarr::sys
