#include "engine/own_log.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/path_owner.h"
#include "platform/socket.h"
#include "platform/spawn.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kMaxTextBytes = 8192;

/// "/proc/self/fd/N" for a path that names a descriptor of this process; else nothing.
std::optional<std::string> own_descriptor(std::string_view path) {
    if (path == "/dev/stdout" || path == "/dev/stderr") {
        return path == "/dev/stdout" ? "/proc/self/fd/1" : "/proc/self/fd/2";
    }
    for (const std::string_view place : {"/proc/self/fd/", "/dev/fd/"}) {
        if (path.starts_with(place) && path.size() > place.size() &&
            path.find_first_not_of("0123456789", place.size()) == std::string_view::npos) {
            return fmt::format("/proc/self/fd/{}", path.substr(place.size()));
        }
    }
    return std::nullopt;
}

Result<> refuse_hands(const std::string& path, const sys::HandsOfOthers& found) {
    using Why = sys::HandsOfOthers::Why;
    const std::string by = found.why == Why::writable
                               ? fmt::format(", where others may write (mode {:04o})", found.mode)
                               : fmt::format(" of user {}", found.owner);
    return fail(Errc::denied,
                "the log {} is reached through {}{}{}, who can turn it to another file",
                printable(path),
                found.why == Why::link ? "the symbolic link " : "",
                printable(found.path),
                by);
}

/// Nobody else decides which directory the file is in. In that itself a group may write, as in
/// /var/log: what it can put there is refused by open_log().
Result<> check_way(const std::string& path) {
    const std::string parent = path.substr(0, path.rfind('/')) + "/";
    // The parent first: where that is there, nobody can put another in its place.
    const sys::WayTo to_parent = KNARR_TRY(sys::hands_of_others(parent));
    if (to_parent.others) {
        return refuse_hands(path, *to_parent.others);
    }
    if (!to_parent.is_there) {
        KNARR_TRY(sys::open_path(path, O_PATH));  // says what is wrong
        return fail_errno(ENOENT, "open {}", printable(path));
    }
    const sys::WayTo way = KNARR_TRY(sys::hands_of_others(path));
    const bool by_group = way.others && way.others->why == sys::HandsOfOthers::Why::writable &&
                          (way.others->mode & S_IWOTH) == 0;
    return way.others && !by_group ? refuse_hands(path, *way.others) : Result<>();
}

/// For each record anew: the descriptor must not be open while a container is launched.
Result<sys::Fd> open_log(const OwnLog& log) {
    const std::string& path = log.file;
    constexpr int kFlags = O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK;
    if (const auto own = own_descriptor(path)) {
        return sys::open_path(*own, kFlags);
    }
    if (!log.any_way) {
        KNARR_TRY(check_way(path));
    }
    Result<sys::Fd> opened = sys::open_path(path, kFlags | O_CREAT | O_NOFOLLOW, 0644);
    if (!opened && opened.error().sys_errno == ELOOP) {
        return fail(
            Errc::denied, "the log {} is a symbolic link, which is not followed", printable(path));
    }
    sys::Fd file = KNARR_TRY(std::move(opened));
    const struct stat info = KNARR_TRY(sys::stat_of(file));
    if (S_ISCHR(info.st_mode)) {
        return file;
    }
    if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode)) {
        return fail(Errc::denied,
                    "the log {} is neither a file nor a FIFO nor a character device",
                    printable(path));
    }
    if (!sys::is_trusted_owner(info.st_uid)) {
        return fail(Errc::denied,
                    "the log {} is user {}'s, neither root's nor your own",
                    printable(path),
                    info.st_uid);
    }
    if (info.st_nlink > 1) {
        return fail(Errc::denied,
                    "the log {} has another name, by which it may be a file of another use",
                    printable(path));
    }
    return file;
}

std::string quoted(std::string_view text) {
    std::string out;
    for (const char c : printable(text, kMaxTextBytes)) {
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

}  // namespace

std::string_view name_of(LogLevel level) {
    switch (level) {
        case LogLevel::error:
            return "error";
        case LogLevel::warning:
            return "warning";
        case LogLevel::info:
            return "info";
        case LogLevel::debug:
            break;
    }
    return "debug";
}

Result<LogFormat> parse_log_format(std::string_view text, std::string_view from) {
    if (text != "text" && text != "json") {
        return fail(
            Errc::invalid_argument, "{} \"{}\" is neither text nor json", from, printable(text));
    }
    return text == "json" ? LogFormat::json : LogFormat::text;
}

Result<LogLevel> parse_log_level(std::string_view text, std::string_view from) {
    text = text == "warn" ? "warning" : text == "fatal" ? "error" : text;
    for (const LogLevel level :
         {LogLevel::error, LogLevel::warning, LogLevel::info, LogLevel::debug}) {
        if (text == name_of(level)) {
            return level;
        }
    }
    return fail(Errc::invalid_argument,
                "{} \"{}\" is none of error, warning, info, debug",
                from,
                printable(text));
}

std::string log_record(LogFormat format, const OwnRecord& entry, std::string_view time) {
    if (format == LogFormat::json) {
        spec::JsonWriter json;
        json.begin_object().member("level", name_of(entry.level)).member("msg", entry.text);
        json.member("time", time);
        if (!entry.id.empty()) {
            json.member("id", entry.id);
        }
        if (!entry.op.empty()) {
            json.member("op", entry.op);
        }
        json.end_object();
        return std::move(json).text();
    }
    std::string out = fmt::format(
        "time=\"{}\" level={} msg=\"{}\"", time, name_of(entry.level), quoted(entry.text));
    if (!entry.id.empty()) {
        out += fmt::format(" id=\"{}\"", quoted(entry.id));
    }
    if (!entry.op.empty()) {
        out += fmt::format(" op=\"{}\"", quoted(entry.op));
    }
    return out;
}

Result<> check_own_log(const OwnLog& log) {
    if (!log.file.empty()) {
        Result<sys::Fd> opened = open_log(log);
        const bool is_unread = !opened && opened.error().sys_errno == ENXIO;
        if (!opened && (!is_unread || own_descriptor(log.file))) {
            return fail(std::move(opened).error());
        }
    }
    return {};
}

void write_own_log(const OwnLog& log, const OwnRecord& entry) {
    if (log.file.empty() || entry.level > log.level) {
        return;
    }
    if (const Result<sys::Fd> file = open_log(log)) {
        const std::string record =
            log_record(log.format, entry, format_time(system_clock().wall())) + "\n";
        static_cast<void>(sys::write_without_signal(*file, record));
    }
}

std::optional<std::string> Repeats::next(std::string_view text, Clock::Steady now) {
    constexpr std::size_t kMany = 8;
    const auto found =
        std::find_if(said_.begin(), said_.end(), [&](const Said& one) { return one.text == text; });
    if (found == said_.end()) {
        if (said_.size() == kMany) {
            said_.erase(said_.begin());
        }
        said_.push_back({.text = std::string(text), .when = now});
        return std::string(text);
    }
    if (now - found->when < std::chrono::minutes(1)) {
        ++found->left_out;
        return std::nullopt;
    }
    const unsigned times = found->left_out;
    *found = {.text = std::string(text), .when = now};
    std::rotate(found, found + 1, said_.end());
    return times == 0 ? std::string(text) : fmt::format("{} (repeated {} times)", text, times);
}

std::vector<std::string> environment_of(const OwnLog& log) {
    if (log.file.empty() || own_descriptor(log.file)) {  // a monitor has other descriptors
        return {};
    }
    return {
        fmt::format("{}={}", kLogVariable, log.file),
        fmt::format("{}={}", kLogFormatVariable, log.format == LogFormat::json ? "json" : "text"),
        fmt::format("{}={}", kLogLevelVariable, name_of(log.level))};
}

OwnLog log_of_environment() {
    OwnLog log{.file = sys::environment(kLogVariable)};
    log.format =
        parse_log_format(sys::environment(kLogFormatVariable), "").value_or(LogFormat::text);
    log.level =
        parse_log_level(sys::environment(kLogLevelVariable), "").value_or(LogLevel::warning);
    return log;
}

}  // namespace knarr::engine
