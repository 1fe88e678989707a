#pragma once
// One time for the whole of a pull, push, load or import, whatever it is spent on.

#include <chrono>

#include "core/clock.h"
#include "image/source.h"
#include "knarr/image.h"

namespace knarr::image {

/// For all of it, where the caller says nothing. Without progress a transfer ends much sooner.
inline constexpr std::chrono::seconds kOperationTime = std::chrono::hours(24);

/// When all that is done for a caller must be over.
struct Deadline {
    std::chrono::seconds given{};
    Clock::Steady end = Clock::Steady::max();
};
Deadline deadline_of(const PullOptions& options, Clock::Steady begin);

/// Errors: timed_out when it is over.
Result<> check(const Deadline& deadline);

/// A source without a clock of its own, such as a directory's, that ends with the deadline. Both
/// outlive it.
class TimedSource final : public Source {
public:
    TimedSource(Source& source, const Deadline& deadline) : source_(source), deadline_(deadline) {}

    Result<std::unique_ptr<ByteStream>> open_top() override { return source_.open_top(); }
    Result<std::unique_ptr<ByteStream>> open_manifest(const spec::Descriptor& entry) override {
        return source_.open_manifest(entry);
    }
    Result<std::unique_ptr<ByteStream>> open_blob(const spec::Descriptor& blob) override {
        return source_.open_blob(blob);
    }
    std::optional<spec::Digest> top_digest() const override { return source_.top_digest(); }
    std::string stored_name() const override { return source_.stored_name(); }
    std::size_t parallel() const override { return source_.parallel(); }
    int poll_fd() const override { return source_.poll_fd(); }
    Result<> pump() override;
    Clock::Steady end() const override { return deadline_.end; }

private:
    Source& source_;
    const Deadline& deadline_;
};

}  // namespace knarr::image
