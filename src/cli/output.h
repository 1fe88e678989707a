#pragma once
// Where the program's texts go: standard output holds only documented output; everything else goes
// to standard error and, where --log or KNARR_LOG names one, to the log file.

#include <string>
#include <string_view>

#include "knarr/own_log.h"
#include "knarr/result.h"

namespace knarr::cli {

/// Writes to standard output. Errors: io (a full disk, a closed pipe).
Result<> print(std::string_view text);
/// Writes to standard error; a failure there has nowhere to go.
void print_error(std::string_view text);

/// Errors and warnings: one line each for people, one record each for the log file.
class Reporter {
public:
    std::string verb;          // "rm": how lines begin
    std::string op;            // "delete": the verb's own name, for the log
    std::string container;     // the one that is concerned, for the log; empty: none
    OwnLog own_log;            // its level holds for standard error, too
    bool json_errors = false;  // the verb's --json was given: errors are JSON too

    void error(const Error& error) const;
    void warn(std::string_view text) const;
    /// For the log alone.
    void info(std::string_view text) const;
    /// At the level debug only; to the log file when there is one, else to standard error.
    void debug_line(std::string_view text) const;

private:
    void log(LogLevel level, std::string_view text) const;
};

/// The record that `error` is for --json: {"error":{code, category, message, hint, retryable}}.
std::string error_json(const Error& error);

}  // namespace knarr::cli
