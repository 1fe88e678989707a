#pragma once
// The log of knarr itself: one record a line, in one file of the command line and its monitors.
// Front doors read where it is from their environment; monitors get it handed on by theirs.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "knarr/own_log.h"
#include "knarr/result.h"

namespace knarr::engine {

inline constexpr const char* kLogVariable = "KNARR_LOG";
inline constexpr const char* kLogFormatVariable = "KNARR_LOG_FORMAT";
inline constexpr const char* kLogLevelVariable = "KNARR_LOG_LEVEL";
/// Another file for monitors.
inline constexpr const char* kMonitorLogVariable = "KNARR_MONITOR_LOG";

struct OwnRecord {
    LogLevel level = LogLevel::error;
    std::string_view text = {};
    std::string_view id = {}, op = {};  ///< of the container and the operation; empty: none
};

/// "error", "warning", "info", "debug".
std::string_view name_of(LogLevel level);
/// `from` is who says so, "--log-format" or a variable. Errors: invalid_argument, naming it.
Result<LogFormat> parse_log_format(std::string_view text, std::string_view from);
/// The same; understands docker's words, too.
Result<LogLevel> parse_log_level(std::string_view text, std::string_view from);

/// One record without its line break, spelled as runc does: time, level, msg; then id and op.
std::string log_record(LogFormat format, const OwnRecord& entry, std::string_view time);

/// Opens the file once, so that a bad path is an error before anything is done. No symbolic link in
/// the last place is followed, but for /dev/stdout, /dev/stderr, /dev/fd/N and /proc/self/fd/N,
/// which are descriptors that the caller handed over. A FIFO that nobody reads yet is none.
/// Errors: denied where strangers decide what is opened.
Result<> check_own_log(const OwnLog& log);
/// Appends a record, unless the log leaves it out. What cannot be written is lost: a log stops
/// nothing, nor does a FIFO that nobody reads.
void write_own_log(const OwnLog& log, const OwnRecord& entry);

/// What is said again and again: once, and then once a minute with how often it was left out.
class Repeats {
public:
    /// What to write now; nothing: it was written within the minute.
    std::optional<std::string> next(std::string_view text, Clock::Steady now);

private:
    struct Said {
        std::string text;
        Clock::Steady when{};
        unsigned left_out = 0;
    };
    std::vector<Said> said_;  // the newest last; a few, so that two by turns are left out, too
};

/// A monitor's environment, "NAME=value" (nothing for a log that is a descriptor of ours), and what
/// a monitor makes of its own.
std::vector<std::string> environment_of(const OwnLog& log);
OwnLog log_of_environment();

}  // namespace knarr::engine
