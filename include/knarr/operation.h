#pragma once
// Operation: a call that takes long, with a descriptor to poll. The call runs in a thread of its
// own; what it is given and what it returns are values.
//
// Whatever the call itself calls is called in that thread, EngineOptions::warn and progress too:
// let it collect values, and take them with the result. Signals of the process stay with the
// program's own threads: that one has them blocked.

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "knarr/result.h"

namespace knarr {

namespace detail {

/// A thread that does one thing, an eventfd that says that it is done, and one that cancels it.
class Work {
public:
    static Result<Work> begin(std::function<void(int cancel_fd)> work);
    Work(Work&&) noexcept;
    Work& operator=(Work&&) = delete;
    Work(const Work&) = delete;
    Work& operator=(const Work&) = delete;
    ~Work();  // cancels and waits

    int fd() const;
    void cancel();
    void wait();

private:
    struct Parts;
    explicit Work(std::unique_ptr<Parts> parts);
    std::unique_ptr<Parts> parts_;
};

}  // namespace detail

/// T as in the Result<T> of the call; Operation<> where there is no value.
template <typename T = void>
class Operation {
public:
    /// The call gets the `cancel_fd` that it hands on to the engine.
    using Call = std::function<Result<T>(int cancel_fd)>;

    /// Begins it. What `call` refers to must live as long as the operation does.
    /// Errors: limit_exceeded, io when there can be no further thread or descriptor.
    static Result<Operation> begin(Call call) {
        auto result = std::make_unique<std::optional<Result<T>>>();
        auto work = KNARR_TRY(detail::Work::begin(
            [call = std::move(call), place = result.get()](int fd) { place->emplace(call(fd)); }));
        return Operation(std::move(result), std::move(work));
    }

    Operation(Operation&&) noexcept = default;
    Operation& operator=(Operation&&) = delete;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    /// Cancels it, and waits until it has ended.
    ~Operation() = default;

    /// Becomes readable when the result is there, and stays so; closed with the operation.
    int fd() const { return work_.fd(); }
    /// Asks it to end early: its `cancel_fd` becomes readable, and stays so.
    void cancel() { work_.cancel(); }
    /// The result, once; waits for it. Errors: those of the call; interrupted when it was cancelled
    /// in time; wrong_state the second time.
    Result<T> take() {
        work_.wait();
        if (!*result_) {
            return fail(Errc::wrong_state, "the operation's result is taken already");
        }
        Result<T> taken = std::move(**result_);
        result_->reset();
        return taken;
    }

private:
    Operation(std::unique_ptr<std::optional<Result<T>>> result, detail::Work work)
        : result_(std::move(result)), work_(std::move(work)) {}
    // In this order: the thread has ended before the place of its result goes.
    std::unique_ptr<std::optional<Result<T>>> result_;
    detail::Work work_;
};

}  // namespace knarr
