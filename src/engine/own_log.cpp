#include "engine/own_log.h"

#include <fcntl.h>

#include "core/clock.h"
#include "core/text.h"
#include "platform/file.h"
#include "platform/spawn.h"
#include "spec/json_writer.h"

namespace knarr::engine {

namespace {

constexpr std::size_t kMaxTextBytes = 8192;

/// For each record anew: the descriptor must not be open while a container is launched.
Result<sys::Fd> open_log(const std::string& path) {
    return sys::open_path(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0644);
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
        KNARR_TRY(open_log(log.file));
    }
    return {};
}

void write_own_log(const OwnLog& log, const OwnRecord& entry) {
    if (log.file.empty() || entry.level > log.level) {
        return;
    }
    if (const Result<sys::Fd> file = open_log(log.file)) {
        const std::string record =
            log_record(log.format, entry, format_time(system_clock().wall())) + "\n";
        static_cast<void>(sys::write_all(*file, record));
    }
}

std::vector<std::string> environment_of(const OwnLog& log) {
    if (log.file.empty()) {
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
