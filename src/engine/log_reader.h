#pragma once
// The log files of one container, read one after the other and on and on.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/context.h"
#include "knarr/logs.h"
#include "platform/fd.h"

namespace knarr::engine {

class LogReader {
public:
    /// `dir`: of the log (log_store.h). What is missed by being slow is a warning of `context`.
    LogReader(const Context& context, sys::Fd dir, LogRequest request)
        : context_(&context), dir_(std::move(dir)), request_(std::move(request)) {}

    /// Where the next entry is.
    struct Place {
        std::uint64_t number = 0, at = 0;
    };

    static std::string encode(const Place& place);
    static std::optional<Place> decode(std::string_view text);

    /// Goes to where the last lines begin, or to the beginning.
    Result<> begin();
    /// Goes to where somebody read to, or to the oldest entry where that is gone.
    Result<> begin_at(const Place& place);
    /// From here on nothing is removed that it has not read. The directory may be locked for that
    /// already (log_store.h), until the first file is. For one who stands at the beginning.
    Result<> keep_unread();
    /// Nothing behind it is told.
    void end_at(const Place& place) { end_ = place; }
    Place place() const { return {.number = number_, .at = at_ - rest_.size()}; }
    /// Tells what there is now. Errors: corrupt; that of `sink`, which is told that entry again.
    Result<> read(const LogSink& sink);
    bool past_until() const { return past_until_; }
    /// What a process needs that goes on with it.
    std::vector<int> descriptors() const { return {dir_.get(), file_.get()}; }

private:
    Result<std::optional<std::uint64_t>> number_after() const;
    Result<bool> open(std::uint64_t number);
    Result<> keep(const sys::Fd& file) const;
    std::size_t room() const;
    Result<> begin_at_tail(const std::vector<std::uint64_t>& numbers, std::uint64_t lines);
    Result<bool> read_file(const LogSink& sink);
    Result<> tell(std::string_view line, const LogSink& sink);

    const Context* context_;
    sys::Fd dir_, file_;
    LogRequest request_;
    std::uint64_t number_ = 0, at_ = 0;
    std::optional<Place> end_;
    bool keeps_unread_ = false;
    std::string rest_;  // the beginning of an entry
    bool past_until_ = false;
};

}  // namespace knarr::engine
