#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace knarr {

/// The undo list of all-or-nothing work: undone newest first unless commit() was called.
/// Declare it after what its undo steps need is captured by value; never capture references to
/// later locals, they are gone when it runs.
class Rollback {
public:
    Rollback() = default;
    Rollback(const Rollback&) = delete;
    Rollback& operator=(const Rollback&) = delete;
    ~Rollback() { run(); }

    void on_failure(std::function<void()> undo) { steps_.push_back(std::move(undo)); }
    /// From here on the work stands.
    void commit() { steps_.clear(); }

private:
    void run() {
        while (!steps_.empty()) {
            auto step = std::move(steps_.back());
            steps_.pop_back();
            step();
        }
    }
    std::vector<std::function<void()>> steps_;
};

}  // namespace knarr
