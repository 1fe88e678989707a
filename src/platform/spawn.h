#pragma once
// Starts a helper program of ours with as few rights as can be.

#include <string>
#include <vector>

#include "platform/fd.h"

namespace knarr::sys {

/// What a helper gets; everything else is taken from it.
struct HelperSpec {
    const Fd* program = nullptr;    ///< opened by the caller: the helper's user need not reach it
    std::vector<std::string> argv;  ///< argv[0] included
    std::vector<std::string> env;   ///< "NAME=value"
    const Fd* socket = nullptr;     ///< becomes fd 3; may block
};

/// A child process that is killed and reaped by the destructor unless it was waited for.
class Helper {
public:
    /// Starts the program as uid and gid 65534 without groups when we are root, else as ourselves;
    /// always with no capabilities, no_new_privs, no open files but /dev/null on 0 and 1, our
    /// stderr on 2 and the socket on 3, in "/", with default signal handling, in a session of its
    /// own, and killed when our process dies. As root it is also pid 1 of a pid namespace: what it
    /// starts ends with it. Source: prctl(2), capabilities(7), pid_namespaces(7).
    /// Errors: those of clone3 and execveat.
    static Result<Helper> start(const HelperSpec& spec);

    Helper(Helper&& other) noexcept;
    Helper& operator=(Helper&& other) noexcept;
    Helper(const Helper&) = delete;
    Helper& operator=(const Helper&) = delete;
    ~Helper();

    /// Readable when the helper has ended.
    const Fd& pidfd() const { return pidfd_; }
    /// SIGKILL, then reap. The wait status as of waitpid(2); -1 when it was reaped before.
    int stop();

private:
    explicit Helper(Fd pidfd) : pidfd_(std::move(pidfd)) {}
    Fd pidfd_;
};

/// Where a program that goes on from an unwritable file (own_copy.h) keeps the directory that it
/// came from: the kernel does not tell it any more.
inline constexpr const char* kOwnDirectoryVariable = "KNARR_OWN_DIRECTORY";

/// The directory of the running program's file, from /proc/self/exe.
Result<std::string> own_directory();

/// Opens one of our other programs for execution: from $KNARR_LIBEXEC, the directory of the running
/// program, libexec/knarr beside that, of the prefix that this was built for, or of /usr.
/// Errors: unsupported when it is in none of them.
Result<Fd> open_own_program(const std::string& name);

/// The machine's name as in uname -m, "x86_64".
Result<std::string> machine_name();

/// The value of an environment variable; empty when it is not set. Never used for a decision that
/// a set-user-ID caller must not make: knarr is not installed set-user-ID.
std::string environment(const char* name);

}  // namespace knarr::sys
