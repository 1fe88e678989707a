#include "engine/logs.h"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>

#include "core/limits.h"
#include "core/text.h"
#include "engine/live.h"
#include "engine/log_store.h"
#include "engine/log_tail.h"
#include "engine/monitor.h"
#include "platform/file.h"
#include "platform/socket.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kReadAtOnce = 64 * size::kKiB;

/// The log files of one container, read one after the other.
class Reader {
public:
    Reader(const Context& context, sys::Fd dir, const LogRequest& request, const LogSink& sink)
        : context_(context), dir_(std::move(dir)), request_(request), sink_(sink) {}

    /// Goes to where the last lines begin, or to the beginning.
    Result<> begin();
    /// Tells what there is now.
    Result<> read();
    bool past_until() const { return past_until_; }

private:
    Result<std::optional<std::uint64_t>> number_after() const;
    Result<bool> open(std::uint64_t number);
    Result<> begin_at_tail(const std::vector<std::uint64_t>& numbers, std::uint64_t lines);
    Result<bool> read_file();
    Result<> tell(std::string_view line);

    const Context& context_;
    sys::Fd dir_, file_;
    const LogRequest& request_;
    const LogSink& sink_;
    std::uint64_t number_ = 0, at_ = 0;
    std::string rest_;  // the beginning of an entry
    bool past_until_ = false;
};

/// False: it has been removed meanwhile.
Result<bool> Reader::open(std::uint64_t number) {
    auto file = sys::open_at(dir_, log_name(number), O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().sys_errno == ENOENT) {
        return false;
    }
    file_ = KNARR_TRY(std::move(file), "log");
    number_ = number;
    at_ = 0;
    rest_.clear();
    return true;
}

Result<> Reader::begin_at_tail(const std::vector<std::uint64_t>& numbers, std::uint64_t lines) {
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

Result<> Reader::begin() {
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

Result<> Reader::tell(std::string_view line) {
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
    return sink_(
        {.error_stream = entry->stream == LogStream::err, .time = entry->time, .text = text});
}

/// Whether the file had anything more.
Result<bool> Reader::read_file() {
    const std::string block = KNARR_TRY(sys::read_part(file_, at_, kReadAtOnce), "log");
    at_ += block.size();
    rest_ += block;
    std::size_t from = 0;
    for (std::size_t end = rest_.find('\n'); end != std::string::npos && !past_until_;
         end = rest_.find('\n', from)) {
        KNARR_TRY(tell(std::string_view(rest_).substr(from, end - from)));
        from = end + 1;
    }
    rest_.erase(0, from);
    return !block.empty();
}

Result<std::optional<std::uint64_t>> Reader::number_after() const {
    for (const std::uint64_t number : KNARR_TRY(log_numbers(dir_), "log")) {
        if (number > number_ || !file_.valid()) {
            return number;
        }
    }
    return std::nullopt;
}

Result<> Reader::read() {
    while (!past_until_) {
        // Asked before the file is read to its end: only then is it really the end.
        const auto next = KNARR_TRY(number_after());
        while (file_.valid() && !past_until_ && KNARR_TRY(read_file())) {
        }
        if (!next) {
            return {};
        }
        if (file_.valid() && *next > number_ + 1) {
            context_.warn(fmt::format("log: {} files were rotated away before they were read",
                                      *next - number_ - 1));
        }
        KNARR_TRY(open(*next));
    }
    return {};
}

/// Whether more can come.
Result<bool> goes_on(const Context& context, const ContainerId& id) {
    const auto seen = look(context, id);
    if (!seen) {
        return seen.error().code == Errc::not_found ? Result<bool>(false) : fail(seen.error());
    }
    // The monitor records the end when the last byte is in the log.
    return *seen && (*seen)->record.status != ContainerState::stopped;
}

}  // namespace

Result<> read_logs(const Context& context,
                   const ContainerId& id,
                   const LogRequest& request,
                   const LogSink& sink) {
    const Seen seen = KNARR_TRY(look_at(context, id));
    ensure_watched(context, seen.record);
    const auto& life = seen.record.life;
    if (!life || !life->monitored || !life->log.keep) {
        return fail(Error{
            .code = Errc::unsupported,
            .message = fmt::format("container {} has no log: {}",
                                   id.text(),
                                   life && life->monitored
                                       ? "it was made with --log-driver none"
                                       : "it was not started in the background by knarr run -d"),
            .hint = "a container in the foreground writes to the output of its knarr run"});
    }
    const std::string log_dir = log_dir_of(seen.record.data_dir);
    sys::Fd dir = KNARR_TRY(sys::open_path(log_dir, O_RDONLY | O_DIRECTORY), "log");
    std::optional<sys::DirWatch> watch;
    if (request.follow) {
        watch.emplace(KNARR_TRY(sys::DirWatch::open()));
        KNARR_TRY(watch->add(log_dir), "log");
        KNARR_TRY(watch->add(path_of(context, id.text())), "log");
    }
    Reader reader(context, std::move(dir), request, sink);
    KNARR_TRY(reader.begin());
    while (true) {
        const bool more = request.follow && KNARR_TRY(goes_on(context, id));
        KNARR_TRY(reader.read());
        if (!more || reader.past_until()) {
            return {};
        }
        std::array<sys::Ready, 1> items{sys::Ready{.fd = watch->fd().get()}};
        KNARR_TRY(sys::wait_ready(items, -1));
        watch->clear();
    }
}

}  // namespace knarr::engine
