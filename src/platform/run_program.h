#pragma once
// Runs a program to its end: a hook, ps, criu.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "platform/fd.h"
#include "platform/seccomp.h"

namespace knarr::sys {

/// How a program that a container brings is executed: never by our own file (trampoline.h).
struct Confined {
    const Fd* trampoline = nullptr;          // null: an ordinary program, nothing of this holds
    const SeccompProgram* filter = nullptr;  // that the trampoline loads; null: none
    std::function<Result<>()> prepare = {};  // called in the child as its last act
};

struct Program {
    std::string path;               // absolute
    std::vector<std::string> args;  // args[0] included
    std::vector<std::string> env;   // the whole environment
    std::string input;              // its stdin
    std::chrono::seconds timeout{0};
    const Fd* output = nullptr;  // its stdout; null: dropped, or kept as max_output says
    const Fd* errors = nullptr;  // its stderr; null: kept for the message
    std::size_t max_output = 0;  // of its stdout that is kept; 0: none
    bool keep_stdio = false;     // it gets our stdin, stdout and stderr, and nothing is kept
    /// A directory that is a mount point for the program alone, in a mount namespace of its own.
    std::string mount_point = {};
    const Fd* held = nullptr;  // it has it open until it has ended, whatever becomes of us
    Confined confined = {};
};

struct Ended {
    int exit_code = 0;
    int signal = 0;  // that ended it, 0: none
    bool timed_out = false;
    std::string output;        // the beginning of its stdout, where asked for
    std::string error_output;  // the first KiBs of its stderr
};

/// Runs the program with `input` on stdin, stdout and stderr where it says; at the timeout its
/// process group is killed. No descriptor but 0 to 2 is passed on. Errors: those of execve, with
/// the path; denied when one at its timeout may not be killed.
Result<Ended> run_program(const Program& program);

/// A program of that name in a directory of our PATH that may be executed.
std::optional<std::string> find_program(const std::string& name);
/// Our own environment, for a program of the operator's.
std::vector<std::string> whole_environment();

}  // namespace knarr::sys
