#pragma once
// The process that an exec runs: the container's own, or a file's, changed by what the caller asks.

#include <string>
#include <vector>

#include "knarr/exec.h"
#include "platform/fd.h"
#include "spec/runtime_config.h"

namespace knarr::engine {

/// The texts of the container's user files; empty where a file is not there.
struct UserFiles {
    std::string passwd, group;
};

/// Reads them inside the root of the process `pid`, as far as links lead within it. `process` is
/// the same process by descriptor: a stranger that has its pid by now is found out.
/// Errors: wrong_state when it has ended; limit_exceeded.
Result<UserFiles> read_user_files(pid_t pid, const sys::Fd& process);

/// What of the container's own the request changes.
struct ExecBase {
    bool of_image = false;  ///< docker's way with users: a number, too, brings what the files say
    bool own_home = false;  ///< HOME is that of the container's user: another one has another
    std::vector<std::string> groups = {};  ///< of --group-add: each user of an exec has them
};

/// Whether the user files are needed: for a name, or for HOME where the environment has none.
bool needs_user_files(const spec::Process& process,
                      const ExecRequest& request,
                      const ExecBase& base = {});

/// The base of `request`: the file that it names, else `own` with its terminal off.
/// Errors: invalid_config naming the file; invalid_argument for a command beside a file.
Result<spec::Process> base_process(const ExecRequest& request,
                                   const spec::Process& own,
                                   const ExecBase& base = {});

/// Changes in `process` what `request` names, and gives it HOME where it has none. Pure.
/// Errors: invalid_argument for an unknown or malformed user, an ID out of range.
Result<> change_process(spec::Process& process,
                        const ExecRequest& request,
                        const UserFiles& files,
                        const ExecBase& base = {});

}  // namespace knarr::engine
