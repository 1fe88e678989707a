#include "knarr/operation.h"

#include "platform/thread.h"

namespace knarr::detail {

struct Work::Parts {
    sys::Fd done, cancel;
    std::optional<sys::Thread> thread = {};
};

Work::Work(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Work::Work(Work&&) noexcept = default;

Work::~Work() {
    if (parts_) {
        cancel();
        wait();
    }
}

Result<Work> Work::begin(std::function<void(int cancel_fd)> work) {
    const std::string_view what = "begin an operation";
    auto parts = std::make_unique<Parts>(Parts{.done = KNARR_TRY(sys::make_event(), "{}", what),
                                               .cancel = KNARR_TRY(sys::make_event(), "{}", what)});
    parts->thread.emplace(
        KNARR_TRY(sys::Thread::start([work = std::move(work), parts = parts.get()] {
                      work(parts->cancel.get());
                      sys::raise_event(parts->done);
                  }),
                  "{}",
                  what));
    return Work(std::move(parts));
}

int Work::fd() const {
    return parts_->done.get();
}

void Work::cancel() {
    sys::raise_event(parts_->cancel);
}

void Work::wait() {
    parts_->thread->join();
}

}  // namespace knarr::detail
