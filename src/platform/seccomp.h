#pragma once
// Seccomp: a policy (names and conditions) becomes a classic BPF program, and is loaded.
//
// The compiler is knarr's own because libseccomp takes 65 ms for the usual profile where this takes
// a fraction of a millisecond. Its verdicts are those of libseccomp 2.5 as runc and crun drive it;
// the tests compare the two for every system call number.

#include <cstdint>
#include <vector>

#include <linux/filter.h>

#include "knarr/result.h"
#include "platform/fd.h"
#include "platform/syscall_table.h"

namespace knarr::sys {

/// What happens to a system call. Source: seccomp(2), "SECCOMP_SET_MODE_FILTER".
struct SeccompAction {
    enum class Kind : std::uint8_t {
        kill_process,
        kill_thread,
        trap,
        error,  ///< fails with `data` as errno
        trace,  ///< tells the tracer, with `data`
        log,
        allow,
        notify,  ///< asks the listener
    };
    Kind kind = Kind::kill_thread;
    std::uint16_t data = 0;

    /// The filter's return value, SECCOMP_RET_*.
    std::uint32_t raw() const;
    bool operator==(const SeccompAction& other) const { return raw() == other.raw(); }
};

enum class SeccompOp : std::uint8_t { ne, lt, le, eq, ge, gt, masked_eq };

/// A comparison of one argument as unsigned 64-bit number (32-bit on x86, x32 and arm).
struct SeccompCondition {
    std::uint8_t index = 0;  ///< 0 to 5
    SeccompOp op = SeccompOp::eq;
    std::uint64_t value = 0;      ///< the operand; the mask of masked_eq
    std::uint64_t value_two = 0;  ///< masked_eq: what the masked argument must equal
};

/// All conditions must hold. When two of them name the same argument, each becomes a rule of its
/// own, as runc and crun do.
struct SeccompRule {
    std::vector<Syscall> syscalls;
    SeccompAction action;
    std::vector<SeccompCondition> conditions;
};

struct SeccompPolicy {
    SeccompAction default_action;
    /// The native architecture is always included. Calls of any other architecture kill the thread.
    std::vector<SeccompArch> architectures;
    std::uint32_t flags = 0;         ///< SECCOMP_FILTER_FLAG_*
    std::vector<SeccompRule> rules;  ///< those with the default action say nothing and are skipped
};

struct SeccompProgram {
    std::vector<sock_filter> code;
    std::uint32_t flags = 0;
    bool needs_listener = false;  ///< some call is decided by a listener (SECCOMP_RET_USER_NOTIF)
};

/// Compiles a policy; pure.
///
/// Errors: invalid_config when two rules for one call contradict each other where libseccomp
/// refuses too, when an argument index is above 5 or an errno above 4094; limit_exceeded when the
/// program has more than BPF_MAXINSNS instructions, or there are too many rules to merge.
Result<SeccompProgram> compile_seccomp(const SeccompPolicy& policy);

/// Loads the filter into the calling thread: seccomp(2). Needs no_new_privs or CAP_SYS_ADMIN.
/// Allocates nothing unless it fails. Returns the listener's descriptor (close-on-exec) when the
/// program needs one, else an invalid one.
Result<Fd> load_seccomp(const SeccompProgram& program);

}  // namespace knarr::sys
