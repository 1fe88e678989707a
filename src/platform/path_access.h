#pragma once
// Why a path could not be reached: the directory on the way that does not let this process pass.

#include <string>

#include "platform/fd.h"

namespace knarr::sys {

/// Adds to a "permission denied" the first directory of `path`, itself included, that this process
/// may not pass, with its owner and mode and how to mend it. Any other error, and one whose cause
/// is not found (a security module), comes back as it is. The kernel is asked, so that access lists
/// and capabilities count; call it as the process that was refused.
Error explain_denied(Error error, const std::string& path);

/// Refuses a directory that this process may not pass, in the same words; `name` is how people know
/// it. Errors: denied.
Result<> check_passable(const Fd& dir, const std::string& name);

/// Refuses a file that this process may not execute: its mode or owner, or a noexec mount.
/// Errors: exec_failed, with the errno of access(2).
Result<> check_executable(const std::string& path);

template <typename T>
Result<T> explained(Result<T> result, const std::string& path) {
    if (!result) {
        return std::unexpected(explain_denied(std::move(result).error(), path));
    }
    return result;
}

}  // namespace knarr::sys
