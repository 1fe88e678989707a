#pragma once
// What a caller hands over and gets back besides a container: open descriptors and a pid file.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "knarr/result.h"
#include "platform/fd.h"

namespace knarr::engine {

/// Whether `count` descriptors from `first` on are open and the caller's own.
/// Errors: invalid_argument naming the first that is not.
Result<> check_preserved_fds(unsigned count, unsigned first = 3);
/// The first of `count` descriptors from 3 on that is not; nothing when all are. A wrong count of
/// a service manager fails nothing: the program finds out as it would without us.
std::optional<unsigned> missing_listen_fd(unsigned count);

/// Connections that wait for the pidfd of a process that is not made yet.
class PidfdReceivers {
public:
    /// Errors: those of connect(2), with the path; `what` names who asked for it.
    Result<> add(const std::string& path, std::string_view what);
    /// Errors: a receiver has hung up.
    Result<> send(const sys::Fd& pidfd);

private:
    std::vector<sys::Fd> all_;
};

/// Writes `pid` into `path`, relative to the caller's directory, so that readers see all or
/// nothing.
Result<> write_pid_file(const std::string& path, pid_t pid);
void remove_pid_file(const std::string& path);

}  // namespace knarr::engine
