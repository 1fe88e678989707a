#pragma once
// A child of our own program that does one dangerous job with nearly nothing in reach, and hands
// back some bytes or an Error. No exec: only for single-threaded programs.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/fd.h"
#include "platform/worker_filter.h"

namespace knarr::sys {

/// What a child of our own program hands back, as bytes.
std::string encode_result(const Result<std::string>& result);
/// The sender may have been taken over by what it worked on: nothing in `bytes` is trusted.
Result<std::string> decode_result(std::string_view bytes);

struct WorkerJail {
    /// The directory that becomes the root; nothing outside can be reached by a path. As root it
    /// should be a detached mount (clone_mount), so that ".." ends there too.
    const Fd* root = nullptr;
    std::vector<const Fd*> keep;             ///< stay open; all others are closed
    std::uint64_t capabilities = 0;          ///< bits of CAP_*; everything else is dropped
    WorkerCalls calls = WorkerCalls::files;  ///< what may be asked of the kernel
    std::uint64_t max_memory_bytes = 0;      ///< RLIMIT_AS above what the program has; 0: no bound
    std::size_t max_result_bytes = 1 << 20;  ///< more is an error
};

/// The running child. The destructor kills and reaps it.
class Worker {
public:
    Worker() = default;
    Worker(Worker&&) noexcept = default;
    Worker& operator=(Worker&& other) noexcept;
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    ~Worker() { stop(); }

    /// Clones (as root into new mount, pid, net, ipc and uts namespaces), jails the child, runs
    /// `body` there. The child has /dev/null on 0 to 2, no_new_privs, no core dumps, no SIGPIPE, a
    /// filter of system calls, and dies with the parent.
    static Result<Worker> start(const WorkerJail& jail,
                                const std::function<Result<std::string>()>& body);

    /// Readable when a result begins or the child ended.
    const Fd& result_fd() const { return result_; }
    const Fd& pidfd() const { return pidfd_; }

    /// Waits for the end: what body returned. Errors: body's; internal when the child was killed;
    /// limit_exceeded past max_result_bytes.
    Result<std::string> finish();
    /// SIGKILL and reap.
    void stop();

private:
    Fd pidfd_, result_;
    std::size_t max_result_bytes_ = 0;
};

}  // namespace knarr::sys
