#include "engine/event_log.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <fcntl.h>

#include "core/clock.h"
#include "core/fault.h"
#include "core/text.h"
#include "platform/disk.h"
#include "platform/patience.h"
#include "platform/stream.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr const char* kLog = "log";
constexpr const char* kOlder = "log.1";
constexpr const char* kLock = "lock";
constexpr std::size_t kMaxHeaderBytes = 64, kReadAtOnce = 64 * size::kKiB;
/// One who holds the lock for so long has been stopped: nobody waits for that one's event.
constexpr std::chrono::seconds kLockWait{1};
/// A label of such a name would be taken for what knarr says.
constexpr std::array<std::string_view, 5> kOwnAttributes{
    "image", "name", "exitCode", "signal", "oldName"};
/// Of all labels in one event, names and values: an image may have a MiB of them.
constexpr std::size_t kMaxLabelBytes = 4 * size::kKiB;

std::string header(std::uint64_t first) {
    return fmt::format("{{\"first\":{}}}\n", first);
}

/// Nothing for a file that has just been made, or whose first line is damaged.
Result<std::optional<EventHeader>> read_header(const sys::Fd& file) {
    const std::string text = KNARR_TRY(sys::read_part(file, 0, kMaxHeaderBytes));
    const std::size_t end = text.find('\n');
    if (end == std::string::npos) {
        return std::nullopt;
    }
    const auto document =
        spec::JsonDocument::parse(std::string_view(text).substr(0, end), {.name = kLog});
    EventHeader found{.first = 0, .bytes = end + 1};
    if (!document || !document->root().required("first", found.first)) {
        return std::nullopt;
    }
    return found;
}

/// The number that comes after a whole file; at least how many there are, where the first line,
/// which is damaged, would say more.
Result<std::uint64_t> number_after(const sys::Fd& file) {
    const auto begin = KNARR_TRY(read_header(file));
    std::uint64_t next = begin ? begin->first : 0;
    std::uint64_t at = begin ? begin->bytes : 0;
    while (true) {
        const std::string part = KNARR_TRY(sys::read_part(file, at, kReadAtOnce));
        if (part.empty()) {
            return begin || next == 0 ? next : next - 1;
        }
        next += static_cast<std::uint64_t>(std::ranges::count(part, '\n'));
        at += part.size();
    }
}

/// Nothing when it is not there.
Result<std::optional<sys::Fd>> open_if_there(const sys::Fd& dir, const char* name) {
    Result<sys::Fd> file = sys::open_at(dir, name, O_RDONLY | O_NOFOLLOW);
    if (!file && file.error().sys_errno == ENOENT) {
        return std::nullopt;
    }
    return std::optional(KNARR_TRY(std::move(file)));
}

/// Whether it is not empty, and not the same as `other`.
Result<bool> is_another(const sys::Fd& file, const sys::Fd& other) {
    const auto one = KNARR_TRY(sys::stat_of(file));
    const auto two = KNARR_TRY(sys::stat_of(other));
    return one.st_size > 0 && (one.st_dev != two.st_dev || one.st_ino != two.st_ino);
}

Result<sys::Fd> open_log(const sys::Fd& dir) {
    return sys::open_at(dir, kLog, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0600);
}

/// The number of the first event after the older file; 0 where there is none.
Result<std::uint64_t> number_after_older(const sys::Fd& dir) {
    const auto older = KNARR_TRY(open_if_there(dir, kOlder));
    return older ? number_after(*older) : Result<std::uint64_t>(0);
}

/// Makes the file the older one: it is full, or its first line is damaged.
Result<sys::Fd> rotate(const sys::Fd& dir, const sys::Fd& full) {
    std::uint64_t first = KNARR_TRY(number_after(full));
    if (!KNARR_TRY(read_header(full))) {
        first += KNARR_TRY(number_after_older(dir));
    }
    KNARR_TRY(sys::rename_at(dir, kLog, dir, kOlder));
    KNARR_TRY(fault_point("events.rotated"));
    sys::Fd file = KNARR_TRY(open_log(dir));
    KNARR_TRY(sys::write_all(file, header(first)));
    return file;
}

/// The header of a file that has just been made, also where somebody was killed after rotating.
Result<> begin(const sys::Fd& dir, const sys::Fd& file) {
    return sys::write_all(file, header(KNARR_TRY(number_after_older(dir))));
}

}  // namespace

std::string encode_event(const LoggedEvent& event) {
    spec::JsonWriter json;
    json.begin_object().member("time", event.time).member("action", event.action);
    json.member("id", event.id).member("attributes", event.attributes);
    if (!event.is_mixed) {
        json.member("labels", event.labels);
    }
    json.end_object();
    return std::move(json).text();
}

Result<LoggedEvent> decode_event(std::string_view line) {
    const auto document = KNARR_TRY(spec::JsonDocument::parse(line, {.name = kLog}));
    LoggedEvent event;
    KNARR_TRY(document.root().required("time", event.time));
    KNARR_TRY(document.root().required("action", event.action));
    KNARR_TRY(document.root().required("id", event.id));
    KNARR_TRY(document.root().required("attributes", event.attributes));
    std::optional<std::map<std::string, std::string>> labels;
    KNARR_TRY(document.root().optional("labels", labels));
    event.is_mixed = !labels;
    if (labels) {
        event.labels = std::move(*labels);
    }
    return event;
}

LifecycleEvent shown_event(const LoggedEvent& event) {
    LifecycleEvent out = static_cast<const LifecycleEvent&>(event);
    for (const auto& [name, value] : event.labels) {
        if (std::ranges::find(kOwnAttributes, name) == kOwnAttributes.end()) {
            out.attributes.emplace(name, value);
        }
    }
    return out;
}

Result<> append_event(const sys::Fd& dir, const LoggedEvent& event, std::size_t max_bytes) {
    using Kind = sys::FileLock::Kind;
    std::optional<sys::FileLock> lock;
    sys::Patience patience{kLockWait};
    do {
        if (auto got = KNARR_TRY(sys::FileLock::try_acquire(dir, kLock, Kind::exclusive))) {
            lock.emplace(std::move(*got));
        }
    } while (!lock && patience.rest());
    sys::Fd file = KNARR_TRY(open_log(dir));
    auto size = static_cast<std::uint64_t>(KNARR_TRY(sys::stat_of(file)).st_size);
    if (lock && (size > max_bytes || (size > 0 && !KNARR_TRY(read_header(file))))) {
        file = KNARR_TRY(rotate(dir, file));
        size = 0;
    } else if (lock && size == 0) {
        KNARR_TRY(begin(dir, file));
    }
    std::string line = encode_event(event) + "\n";
    if (size > 0 && KNARR_TRY(sys::read_part(file, size - 1, 1)) != "\n") {
        line.insert(line.begin(), '\n');  // the disk was full in the middle of the last one
    }
    return sys::write_all(file, line);
}

Result<> EventReader::open_oldest() {
    for (const char* name : {kOlder, kLog}) {
        std::optional<sys::Fd> file = KNARR_TRY(open_if_there(dir_, name));
        if (file && KNARR_TRY(sys::stat_of(*file)).st_size > 0) {
            const auto begin = KNARR_TRY(read_header(*file));
            go_to(std::move(*file), begin ? *begin : EventHeader{.first = next_, .bytes = 0});
            return {};
        }
    }
    return {};
}

/// A header of no bytes: the file's first line is damaged, and its numbers are guessed.
void EventReader::go_to(sys::Fd file, const EventHeader& begin) {
    file_ = std::move(file);
    first_ = next_ = begin.first;
    at_ = begin.bytes;
    rest_.clear();
    is_guessed_ = begin.bytes == 0;
    met_damage_ = met_damage_ || is_guessed_;
}

/// Goes on with the file that came after the one that is read to its end; false: there is none.
Result<bool> EventReader::open_next(std::vector<LoggedEvent>& out) {
    for (const char* name : {kOlder, kLog}) {
        std::optional<sys::Fd> file = KNARR_TRY(open_if_there(dir_, name));
        if (!file || !KNARR_TRY(is_another(*file, file_))) {
            continue;
        }
        auto begin = KNARR_TRY(read_header(*file));
        // None is newer than the log; whether the older one is newer than ours, numbers tell.
        if (name == kOlder && (!begin || begin->first <= first_)) {
            continue;
        }
        KNARR_TRY(read_file(out));  // what came before it was rotated
        if (!begin) {
            begin = EventHeader{.first = next_, .bytes = 0};
        }
        if (begin->first > next_ && !is_guessed_) {
            LoggedEvent gap;
            gap.time = format_time(system_clock().wall());
            gap.lost = begin->first - next_;
            out.push_back(std::move(gap));
        }
        go_to(std::move(*file), *begin);
        return true;
    }
    return false;
}

Result<> EventReader::read_file(std::vector<LoggedEvent>& out) {
    while (true) {
        const std::string part = KNARR_TRY(sys::read_part(file_, at_, kReadAtOnce));
        if (part.empty()) {
            return {};
        }
        at_ += part.size();
        rest_ += part;
        std::size_t from = 0;
        for (std::size_t end = rest_.find('\n'); end != std::string::npos;
             end = rest_.find('\n', from)) {
            if (auto event = decode_event(std::string_view(rest_).substr(from, end - from))) {
                out.push_back(std::move(*event));
            }
            ++next_;
            from = end + 1;
        }
        rest_.erase(0, from);
    }
}

Result<std::vector<LoggedEvent>> EventReader::read() {
    std::vector<LoggedEvent> out;
    if (!file_.valid()) {
        KNARR_TRY(open_oldest());
    }
    if (!file_.valid()) {
        return out;  // nothing has happened yet
    }
    do {
        KNARR_TRY(read_file(out));
    } while (KNARR_TRY(open_next(out)));
    return out;
}

LoggedEvent event_now(const Record& record,
                      std::string_view action,
                      std::map<std::string, std::string> attributes) {
    LoggedEvent event;
    event.time = format_time(system_clock().wall());
    event.action = action;
    event.id = record.id;
    event.attributes = std::move(attributes);
    event.attributes.emplace("image", image_name_of(record));
    if (!record.name.empty()) {
        event.attributes.emplace("name", record.name);
    }
    if (!record.life) {
        return event;
    }
    std::size_t room = kMaxLabelBytes;
    for (const auto& [name, value] : record.life->labels) {
        if (name.size() + value.size() <= room) {
            room -= name.size() + value.size();
            event.labels.emplace(name, value);
        }
    }
    return event;
}

void note_event(const Context& context,
                const Record& record,
                std::string_view action,
                std::map<std::string, std::string> attributes) {
    if (!record.life) {
        return;
    }
    const LoggedEvent event = event_now(record, action, std::move(attributes));
    const auto note = [&]() -> Result<> {
        const sys::Fd dir = KNARR_TRY(sys::make_dirs(context.root.path() + "/" + kEventDir, 0700));
        return append_event(dir, event, kMaxEventLogBytes);
    };
    if (const Result<> noted = note(); !noted) {
        context.warn(fmt::format("event {} is not noted: {}", action, noted.error().message));
    }
}

void note_end_event(const Context& context, const Record& record) {
    if (record.life && record.life->oom_killed) {
        note_event(context, record, "oom");
    }
    std::map<std::string, std::string> attributes;
    if (record.exit_code) {
        attributes["exitCode"] = fmt::format("{}", *record.exit_code);
    }
    note_event(context, record, "die", std::move(attributes));
}

std::optional<int> noted_exit_code(const std::string& root, const ContainerId& id) {
    auto dir = sys::open_path(root + "/" + kEventDir, O_RDONLY | O_DIRECTORY);
    if (!dir) {
        return std::nullopt;
    }
    const auto events = EventReader(std::move(*dir)).read();
    std::optional<int> code;
    for (const LoggedEvent& event : events.value_or(std::vector<LoggedEvent>())) {
        if (event.id != id.text() || event.action != "die" || event.is_mixed) {
            continue;
        }
        const auto told = event.attributes.find("exitCode");
        const auto number = told != event.attributes.end() ? parse_number(told->second)
                                                           : std::optional<std::uint64_t>();
        code = number ? std::optional(static_cast<int>(*number)) : std::nullopt;
    }
    return code;
}

Result<> read_events(const Context& context, const EventRequest& request, const EventSink& sink) {
    const std::string path = context.root.path() + "/" + kEventDir;
    sys::Fd dir = KNARR_TRY(sys::make_dirs(path, 0700));
    const auto now = [] { return format_time(system_clock().wall()); };
    const std::string since = request.since.empty() ? now() : request.since;
    sys::DirWatch watch = KNARR_TRY(sys::DirWatch::open_or_tick());
    KNARR_TRY(watch.add(path));
    EventReader reader(std::move(dir));
    bool is_warned = false;
    while (true) {
        // Asked before: what comes until then is read.
        const bool last = !request.until.empty() && now() >= request.until;
        const std::vector<LoggedEvent> events = KNARR_TRY(reader.read());
        if (reader.met_damage() && !is_warned) {
            is_warned = true;
            context.warn(
                fmt::format("{}: the first line of a log is damaged: events may be missing", path));
        }
        for (const LoggedEvent& event : events) {
            if (event.lost == 0 && event.time < since) {
                continue;
            }
            if (!request.until.empty() && event.time > request.until) {
                return {};
            }
            KNARR_TRY(sink(shown_event(event)));
        }
        if (last) {
            return {};
        }
        constexpr int kUntilCheckMs = 100;
        if (!KNARR_TRY(watch.wait(request.cancel_fd, request.until.empty() ? -1 : kUntilCheckMs))) {
            return {};
        }
    }
}

}  // namespace knarr::engine
