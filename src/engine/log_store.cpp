#include "engine/log_store.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "core/clock.h"
#include "core/fault.h"
#include "core/limits.h"
#include "core/text.h"
#include "platform/disk.h"
#include "platform/file.h"
#include "platform/stream.h"

namespace knarr::engine {

namespace {

constexpr const char* kPlaceFile = "log.at";
constexpr std::size_t kPlaceBytes = 84;  // four numbers of twenty digits: one line, one write
constexpr std::string_view kSuffix = ".log";
constexpr const char* kFilledFile = "log.in";
constexpr std::uint64_t kSpoolBytes = 256 * size::kKiB;
constexpr std::uint64_t kSpoolRest = 64 * size::kKiB;  // with less room it begins again: a pipe's
constexpr std::size_t kTakenAtOnce = 64 * size::kKiB;
constexpr std::size_t kWrittenAtOnce = 128 * size::kKiB;
constexpr std::uint64_t kScreenBytes = 256 * size::kKiB;

constexpr std::size_t index_of(LogStream stream) {
    return static_cast<std::size_t>(stream);
}

LogWriter::More what_follows(const std::optional<std::size_t>& moved) {
    if (!moved) {
        return LogWriter::More::empty;
    }
    return *moved == 0 ? LogWriter::More::ended : LogWriter::More::perhaps;
}

/// Nobody but we has a reason to: the container has only the other end of the FIFO.
std::unexpected<Error> changed_by_others() {
    return fail(Errc::corrupt,
                "log: {} or a spool was changed by somebody else: the log goes on without what "
                "they had",
                kFilledFile);
}

}  // namespace

std::string fifo_name(LogStream stream) {
    return std::string(name_of(stream));
}

std::string log_dir_of(const std::string& data_dir) {
    return data_dir + "/logs";
}

std::optional<LogPlace> log_place(const LogPolicy& log,
                                  bool terminal,
                                  const std::string& data_dir,
                                  const std::string& state_dir) {
    if (log.keep) {
        return LogPlace{.dir = log_dir_of(data_dir), .policy = log};
    }
    if (terminal) {
        return LogPlace{.dir = state_dir + "/screen",
                        .policy = {.keep = true, .max_bytes = kScreenBytes, .max_files = 2}};
    }
    return std::nullopt;
}

std::string log_name(std::uint64_t number) {
    return fmt::format("{}{}", number, kSuffix);
}

Result<std::vector<std::uint64_t>> log_numbers(const sys::Fd& log_dir) {
    std::vector<std::uint64_t> numbers;
    for (const std::string& name : KNARR_TRY(sys::list_dir(log_dir))) {
        if (!name.ends_with(kSuffix)) {
            continue;
        }
        if (const auto number =
                parse_number(std::string_view(name).substr(0, name.size() - kSuffix.size()))) {
            numbers.push_back(*number);
        }
    }
    std::ranges::sort(numbers);
    return numbers;
}

namespace {

/// Whether somebody has still to read it.
Result<bool> is_kept(const sys::Fd& log_dir, std::uint64_t number) {
    if (!KNARR_TRY(sys::try_lock(log_dir))) {
        return true;
    }
    sys::unlock(log_dir);
    const sys::Fd file = KNARR_TRY(sys::open_at(log_dir, log_name(number), O_RDONLY | O_NOFOLLOW));
    return !KNARR_TRY(sys::try_lock(file));
}

}  // namespace

/// From the oldest on: who reads one reads those after it next.
Result<> remove_old_logs(const sys::Fd& log_dir, const LogPolicy& policy, std::uint64_t newest) {
    if (policy.max_bytes == 0) {
        return {};
    }
    for (const std::uint64_t number : KNARR_TRY(log_numbers(log_dir))) {
        if (number + policy.max_files > newest) {
            return {};
        }
        Result<bool> kept = is_kept(log_dir, number);
        if (!kept && kept.error().sys_errno == ENOENT) {
            continue;  // a reader who is done removes them, too
        }
        if (KNARR_TRY(std::move(kept))) {
            return {};
        }
        const Result<> removed = sys::unlink_at(log_dir, log_name(number));
        if (!removed && removed.error().sys_errno != ENOENT) {
            return removed;
        }
    }
    return {};
}

Result<LogWriter> LogWriter::open(const sys::Fd& state_dir,
                                  const std::string& log_dir,
                                  const LogPolicy& policy) {
    LogWriter writer;
    writer.policy_ = policy;
    writer.memory_ = KNARR_TRY(sys::Pages::map(kWrittenAtOnce), "log");
    static_assert(kWrittenAtOnce >= kMaxLogPart + kMaxLogHead);
    // Not made here: somebody may be removing the container.
    writer.log_dir_ = KNARR_TRY(sys::open_path(log_dir, O_RDONLY | O_DIRECTORY), "log");
    writer.place_file_ =
        KNARR_TRY(sys::open_at(state_dir, kPlaceFile, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    const sys::Fd filled =
        KNARR_TRY(sys::open_at(state_dir, kFilledFile, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    writer.filled_ = KNARR_TRY(sys::KeptOffsets::map(filled), "log");
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        Spool& spool = writer.spools_[index_of(stream)];
        spool.file = KNARR_TRY(sys::open_at(
            state_dir, fifo_name(stream) + ".spool", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
        spool.bytes = KNARR_TRY(sys::MappedFile::map(spool.file, kSpoolBytes), "log");
    }
    KNARR_TRY(writer.read_place(), "log");
    KNARR_TRY(writer.open_log(), "log");
    // What was kept for a reader of the last run.
    KNARR_TRY(remove_old_logs(writer.log_dir_, policy, writer.place_.number), "log");
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        KNARR_TRY(writer.flush(stream), "log");
    }
    return writer;
}

namespace {

std::optional<std::array<std::uint64_t, 4>> parse_place(std::string_view text) {
    if (text.size() != kPlaceBytes) {
        return std::nullopt;
    }
    const auto parts = split(text.substr(0, text.size() - 1), ' ');
    std::array<std::uint64_t, 4> numbers{};
    if (parts.size() != numbers.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        std::string_view digits = parts[i];
        while (digits.size() > 1 && digits.front() == '0') {
            digits.remove_prefix(1);
        }
        const auto number = parse_number(digits);
        if (!number) {
            return std::nullopt;
        }
        numbers[i] = *number;
    }
    return numbers;
}

}  // namespace

/// A number that is not used yet, and nothing in the spools.
Result<> LogWriter::begin_file() {
    const auto numbers = KNARR_TRY(log_numbers(log_dir_));
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        KNARR_TRY(filled_.set(index_of(stream), 0));
    }
    return write_place({.number = numbers.empty() ? 0 : numbers.back() + 1, .taken = {}});
}

Result<> LogWriter::read_place() {
    const std::string text = KNARR_TRY(sys::read_part(place_file_, 0, kPlaceBytes));
    if (text.empty()) {
        return begin_file();  // a first start, or one after a reboot that left the log
    }
    const auto place = parse_place(text);
    if (place) {
        place_ = {.number = (*place)[0], .end = (*place)[1], .taken = {(*place)[2], (*place)[3]}};
    }
    const bool right = place && KNARR_TRY(is_filled_rightly(LogStream::out)) &&
                       KNARR_TRY(is_filled_rightly(LogStream::err));
    if (!right) {
        warning_ = fmt::format(
            "{} is not as it was written: the log goes on in a new file, perhaps "
            "without the last lines of the old one",
            place ? kFilledFile : kPlaceFile);
        return begin_file();
    }
    return {};
}

Result<> LogWriter::write_place(const Place& place) {
    const std::string text = fmt::format(
        "{:020} {:020} {:020} {:020}\n", place.number, place.end, place.taken[0], place.taken[1]);
    KNARR_TRY(sys::write_all_at(place_file_, text, 0));
    place_ = place;
    return {};
}

Result<> LogWriter::open_log() {
    log_ = KNARR_TRY(
        sys::open_at(log_dir_, log_name(place_.number), O_WRONLY | O_CREAT | O_NOFOLLOW, 0600));
    // What is behind the place was written by one that was killed before it could say so.
    return sys::set_size(log_, place_.end);
}

Result<> LogWriter::rotate() {
    KNARR_TRY(fault_point("log.rotate"));
    Place next = place_;
    ++next.number;
    next.end = 0;
    KNARR_TRY(write_place(next));
    KNARR_TRY(open_log());
    return remove_old_logs(log_dir_, policy_, place_.number);
}

Result<std::uint64_t> LogWriter::filled(LogStream stream) const {
    const std::int64_t end = KNARR_TRY(filled_.get(index_of(stream)));
    if (end < 0 || static_cast<std::uint64_t>(end) > kSpoolBytes) {
        return changed_by_others();
    }
    return static_cast<std::uint64_t>(end);
}

Result<std::uint64_t> LogWriter::untaken(LogStream stream) const {
    const std::uint64_t end = KNARR_TRY(filled(stream));
    return end - std::min(end, place_.taken[index_of(stream)]);
}

Result<bool> LogWriter::is_filled_rightly(LogStream stream) const {
    const std::int64_t end = KNARR_TRY(filled_.get(index_of(stream)));
    const std::int64_t size = KNARR_TRY(sys::stat_of(spools_[index_of(stream)].file)).st_size;
    return end >= 0 && end <= static_cast<std::int64_t>(kSpoolBytes) && end <= size;
}

Result<> LogWriter::begin_again(LogStream stream) {
    KNARR_TRY(filled_.set(index_of(stream), 0));
    KNARR_TRY(fault_point("log.emptied"));
    Place next = place_;
    next.taken[index_of(stream)] = 0;
    return write_place(next);
}

Result<> LogWriter::flush(LogStream stream) {
    const std::span<char> output = memory_.memory();
    while (const std::uint64_t rest = KNARR_TRY(untaken(stream))) {
        std::uint64_t room = output.size();
        if (policy_.max_bytes > 0) {
            room = std::min(room, policy_.max_bytes - std::min(policy_.max_bytes, place_.end));
        }
        const std::string time = format_time(system_clock().wall());
        const sys::MappedFile::Reading input(spools_[index_of(stream)].bytes,
                                             place_.taken[index_of(stream)],
                                             std::min<std::uint64_t>(kTakenAtOnce, rest));
        const LogBatch batch =
            make_entries({input.bytes().data(), input.bytes().size()},
                         stream,
                         time,
                         {.memory = output, .bytes = room, .takes_one = place_.end == 0});
        if (input.was_cut()) {
            return changed_by_others();
        }
        if (batch.consumed == 0) {
            KNARR_TRY(rotate());
            continue;
        }
        KNARR_TRY(sys::write_all_at(log_, {output.data(), batch.filled}, place_.end));
        KNARR_TRY(fault_point("log.written"));
        Place next = place_;
        next.end += batch.filled;
        next.taken[index_of(stream)] += batch.consumed;
        KNARR_TRY(write_place(next));
        KNARR_TRY(fault_point("log.placed"));
    }
    return {};
}

Result<std::optional<std::size_t>> LogWriter::move(LogStream stream, const sys::Fd& fifo) {
    KNARR_TRY(flush(stream), "log");  // what a full disk left behind
    const std::size_t index = index_of(stream);
    std::uint64_t end = KNARR_TRY(filled(stream), "log");
    if (place_.taken[index] > end || place_.taken[index] + kSpoolRest > kSpoolBytes) {
        KNARR_TRY(begin_again(stream), "log");
        end = 0;
    }
    Result<std::optional<std::size_t>> done =
        sys::move_to_file(fifo, spools_[index].file, filled_.for_kernel(index), kSpoolBytes - end);
    if (!done && done.error().sys_errno == EFAULT) {
        return changed_by_others();  // there is no page any more where the kernel was to write
    }
    const std::optional<std::size_t> moved = KNARR_TRY(std::move(done), "log");
    if (KNARR_TRY(filled(stream), "log") != end + moved.value_or(0)) {
        return changed_by_others();
    }
    KNARR_TRY(fault_point("log.spooled"));
    KNARR_TRY(flush(stream), "log");
    return moved;
}

Result<LogWriter::More> LogWriter::take(LogStream stream, const sys::Fd& fifo) {
    return what_follows(KNARR_TRY(move(stream, fifo)));
}

Result<LogWriter::More> LogWriter::take_held(LogStream stream, const sys::Fd& fifo) {
    const std::uint64_t held = KNARR_TRY(sys::bytes_held(fifo), "log");
    std::uint64_t had = 0;
    More more = More::perhaps;
    do {
        const auto moved = KNARR_TRY(move(stream, fifo));
        had += moved.value_or(0);
        more = what_follows(moved);
    } while (more == More::perhaps && had < held);
    return more;
}

void LogWriter::release_memory() {
    memory_.clear();
    for (const LogStream stream : {LogStream::out, LogStream::err}) {
        // One that cannot begin again now, or not be emptied, only keeps its memory for longer.
        const auto end = filled(stream);
        if (end && *end > 0 && *end <= place_.taken[index_of(stream)] && begin_again(stream)) {
            static_cast<void>(sys::set_size(spools_[index_of(stream)].file, 0));
        }
    }
}

}  // namespace knarr::engine
