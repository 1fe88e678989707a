#pragma once
// Where the program's texts go: standard output holds only documented output; everything else goes
// to standard error and, where --log names one, to the log file.

#include <cstdint>
#include <string>
#include <string_view>

#include "knarr/result.h"

namespace knarr::cli {

/// Writes to standard output. Errors: io (a full disk, a closed pipe).
Result<> print(std::string_view text);
/// Writes to standard error; a failure there has nowhere to go.
void print_error(std::string_view text);

enum class LogFormat : std::uint8_t { text, json };

/// Errors and warnings: one line each for people, one record each for the log file.
class Reporter {
public:
    std::string verb;      // "run": how lines begin
    std::string log_file;  // empty: none
    LogFormat log_format = LogFormat::text;
    bool debug = false;
    bool silent_warnings = false;  // --log-level error
    bool json_errors = false;      // the verb's --json was given: errors are JSON too

    void error(const Error& error) const;
    void warn(std::string_view text) const;
    /// Only with --debug; to the log file when there is one, else to standard error.
    void debug_line(std::string_view text) const;

    /// Opens the log file once, so that a bad path is an error before anything is done.
    Result<> check_log() const;

private:
    void log(std::string_view level, std::string_view text) const;
};

/// The record that `error` is for --json: {"error":{code, category, message, hint, retryable}}.
std::string error_json(const Error& error);
/// One record of the log file without the line break, spelled as runc does.
std::string log_record(LogFormat format,
                       std::string_view level,
                       std::string_view text,
                       std::string_view time);

}  // namespace knarr::cli
