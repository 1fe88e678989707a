#pragma once
// Runs a program of the operator to its end: a hook.

#include <chrono>
#include <string>
#include <vector>

#include "platform/fd.h"

namespace knarr::sys {

struct Program {
    std::string path;               // absolute
    std::vector<std::string> args;  // args[0] included
    std::vector<std::string> env;   // the whole environment
    std::string input;              // its stdin
    std::chrono::seconds timeout{0};
    const Fd* output = nullptr;  // its stdout; null: dropped
    const Fd* errors = nullptr;  // its stderr; null: kept for the message
};

struct Ended {
    int exit_code = 0;
    int signal = 0;  // that ended it, 0: none
    bool timed_out = false;
    std::string error_output;  // the first KiBs of its stderr
};

/// Runs the program with `input` on stdin, and stdout and stderr where it says; at the timeout its
/// process group is killed. No descriptor but 0 to 2 is passed on. Errors: those of execve, with
/// the path.
Result<Ended> run_program(const Program& program);

}  // namespace knarr::sys
