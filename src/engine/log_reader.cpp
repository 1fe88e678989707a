#include "engine/log_reader.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "engine/log_store.h"
#include "engine/log_tail.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kReadAtOnce = 64 * size::kKiB;

}  // namespace

std::string LogReader::encode(const Place& place) {
    return fmt::format("{} {}", place.number, place.at);
}

std::optional<LogReader::Place> LogReader::decode(std::string_view text) {
    const std::size_t blank = text.find(' ');
    if (blank == std::string_view::npos) {
        return std::nullopt;
    }
    const auto number = parse_number(text.substr(0, blank));
    const auto at = parse_number(text.substr(blank + 1));
    return number && at ? std::optional(Place{.number = *number, .at = *at}) : std::nullopt;
}

/// The writer leaves it, and those after it. The one before it, or the directory, needs no lock
/// now.
Result<> LogReader::keep(const sys::Fd& file) const {
    if (keeps_unread_) {
        KNARR_TRY(sys::lock_shared(file));
        sys::unlock(dir_);
    }
    return {};
}

Result<> LogReader::keep_unread() {
    keeps_unread_ = true;
    return file_.valid() ? keep(file_) : Result<>{};
}

/// False: it has been removed meanwhile.
Result<bool> LogReader::open(std::uint64_t number) {
    auto file = sys::open_at(dir_, log_name(number), O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().sys_errno == ENOENT) {
        return false;
    }
    sys::Fd opened = KNARR_TRY(std::move(file), "log");
    KNARR_TRY(keep(opened), "log");
    file_ = std::move(opened);
    number_ = number;
    at_ = 0;
    rest_.clear();
    return true;
}

Result<> LogReader::begin_at_tail(const std::vector<std::uint64_t>& numbers, std::uint64_t lines) {
    TailSearch search(lines);
    for (auto number = numbers.rbegin(); number != numbers.rend(); ++number) {
        if (!KNARR_TRY(open(*number))) {
            break;
        }
        if (const auto found = KNARR_TRY(search.look_in(file_))) {
            at_ = *found;
            return {};
        }
    }
    return {};
}

Result<> LogReader::begin() {
    const auto numbers = KNARR_TRY(log_numbers(dir_), "log");
    if (numbers.empty()) {
        return {};
    }
    if (request_.tail) {
        return begin_at_tail(numbers, *request_.tail);
    }
    KNARR_TRY(open(numbers.front()));
    return {};
}

Result<> LogReader::begin_at(const Place& place) {
    if (KNARR_TRY(open(place.number))) {
        at_ = place.at;
        return {};
    }
    return begin();
}

Result<> LogReader::tell(std::string_view line, const LogSink& sink) {
    const auto entry = parse_entry(line);
    if (!entry) {
        return fail(Errc::corrupt, "log {}: \"{}\" is no entry", number_, printable(line));
    }
    if (!request_.since.empty() && entry->time < request_.since) {
        return {};
    }
    if (!request_.until.empty() && entry->time > request_.until) {
        past_until_ = true;
        return {};
    }
    const std::string text = std::string(entry->text) + (entry->ends_line ? "\n" : "");
    return sink(
        {.error_stream = entry->stream == LogStream::err, .time = entry->time, .text = text});
}

/// How much to read at once: not beyond the end that is set.
std::size_t LogReader::room() const {
    if (!end_ || number_ < end_->number) {
        return kReadAtOnce;
    }
    const std::uint64_t end = number_ == end_->number ? std::max(end_->at, at_) : at_;
    return static_cast<std::size_t>(std::min<std::uint64_t>(kReadAtOnce, end - at_));
}

/// Whether the file had anything more.
Result<bool> LogReader::read_file(const LogSink& sink) {
    const std::string block = KNARR_TRY(sys::read_part(file_, at_, room()), "log");
    at_ += block.size();
    rest_ += block;
    std::size_t from = 0;
    Result<> told;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos && !past_until_;
         end = rest_.find('\n', from)) {
        told = tell(std::string_view(rest_).substr(from, end - from), sink);
        if (!told) {
            break;
        }
        from = end + 1;
    }
    rest_.erase(0, from);
    KNARR_TRY(std::move(told));
    return !block.empty();
}

Result<std::optional<std::uint64_t>> LogReader::number_after() const {
    auto numbers = log_numbers(dir_);
    if (!numbers && numbers.error().sys_errno == ENOENT) {
        return std::nullopt;  // removed with its container; the open file can still be read
    }
    for (const std::uint64_t number : KNARR_TRY(std::move(numbers), "log")) {
        if (number > number_ || !file_.valid()) {
            return end_ && number > end_->number ? std::nullopt : std::optional(number);
        }
    }
    return std::nullopt;
}

Result<> LogReader::read(const LogSink& sink) {
    while (!past_until_) {
        // Asked before the file is read to its end: only then is it really the end.
        const auto next = KNARR_TRY(number_after());
        while (file_.valid() && !past_until_ && KNARR_TRY(read_file(sink))) {
        }
        if (!next) {
            return {};
        }
        if (file_.valid() && *next > number_ + 1) {
            context_->warn(fmt::format("log: {} files were rotated away before they were read",
                                       *next - number_ - 1));
        }
        KNARR_TRY(open(*next));
    }
    return {};
}

}  // namespace knarr::engine
