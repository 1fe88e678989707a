#pragma once
// The values of `run IMAGE`'s options, which `create` and `plan` share.

#include <string>
#include <vector>

#include "cli/attach_options.h"
#include "cli/verb.h"
#include "knarr/run.h"

namespace knarr::cli {

/// --env as "NAME=value"; NAME alone takes the caller's own value, and is left out without one.
Result<std::vector<std::string>> parse_env(const Parsed& args);

/// Who is in front of a container while it runs.
enum class RunFront : std::uint8_t {
    nobody,    // in the background
    attached,  // the caller, of one in the background: it has a log, and outlives him
    direct,    // the caller, whose own streams the program has
};

struct ParsedRun {
    RunRequest request;
    RunFront front = RunFront::nobody;
    std::vector<std::string> warnings;
};
enum class RunKind : std::uint8_t { run, create };
/// Errors: invalid_argument, unsupported, each naming the option.
Result<ParsedRun> parse_run(const Parsed& args, RunKind kind = RunKind::run);

/// "1.5" CPUs as microseconds of each 100 ms. Errors: invalid_argument below 0.01, above 8192 or
/// malformed.
Result<std::int64_t> parse_cpus(std::string_view text);

}  // namespace knarr::cli
