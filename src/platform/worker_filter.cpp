#include "platform/worker_filter.h"

#include <array>
#include <span>
#include <string_view>

#include <sys/mman.h>

#include "platform/sanitized.h"

namespace knarr::sys {

namespace {

/// What decompressing needs, and handing the result back. Neither a path nor a new descriptor.
constexpr std::array<std::string_view, 34> kBytes = {
    "read",          "readv",          "pread64",   "preadv",     "write",      "writev",
    "pwrite64",      "pwritev",        "lseek",     "fstat",      "newfstatat", "ftruncate",
    "fallocate",     "fsync",          "fdatasync", "close",      "poll",       "ppoll",
    "munmap",        "mremap",         "madvise",   "brk",        "futex",      "sched_yield",
    "clock_gettime", "gettimeofday",   "getrandom", "getpid",     "gettid",     "tgkill",
    "rt_sigreturn",  "rt_sigprocmask", "exit",      "exit_group",
};
/// Of a range of a file, by the architectures' two names.
constexpr std::array<std::string_view, 2> kSync = {"sync_file_range", "sync_file_range2"};
/// AddressSanitizer asks where the other stack is before it calls what does not return.
constexpr std::array<std::string_view, 1> kSanitizer = {"sigaltstack"};

/// Memory, where its third argument does not let it be executed.
constexpr std::array<std::string_view, 2> kMemory = {"mmap", "mprotect"};

/// What no worker that unpacks has a use for. The kernel's own checks stand behind it.
constexpr std::array<std::string_view, 62> kNever = {
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "execveat",
    "unshare",
    "setns",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "open_tree",
    "move_mount",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "swapon",
    "swapoff",
    "reboot",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "socket",
    "socketpair",
    "connect",
    "bind",
    "listen",
    "accept",
    "accept4",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "kcmp",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "request_key",
    "keyctl",
    "name_to_handle_at",
    "open_by_handle_at",
    "memfd_create",
    "memfd_secret",
    "personality",
    "seccomp",
    "setuid",
    "setgid",
    "setresuid",
    "setresgid",
    "setgroups",
};

SeccompRule rule(std::span<const std::string_view> names, SeccompAction action) {
    SeccompRule made{.syscalls = {}, .action = action, .conditions = {}};
    for (const std::string_view name : names) {
        if (const auto call = find_syscall(name)) {  // a table of this architecture may lack some
            made.syscalls.push_back(*call);
        }
    }
    return made;
}

}  // namespace

Result<SeccompProgram> worker_filter(WorkerCalls calls) {
    constexpr SeccompAction kAllow{.kind = SeccompAction::Kind::allow};
    constexpr SeccompAction kEnd{.kind = SeccompAction::Kind::kill_process};
    SeccompPolicy policy;
    policy.architectures = {native_seccomp_arch()};
    if (calls == WorkerCalls::files) {
        policy.default_action = kAllow;
        policy.rules = {rule(kNever, kEnd)};
    } else {
        policy.default_action = kEnd;
        SeccompRule memory = rule(kMemory, kAllow);
        memory.conditions = {
            {.index = 2, .op = SeccompOp::masked_eq, .value = PROT_EXEC, .value_two = 0}};
        policy.rules = {rule(kBytes, kAllow), rule(kSync, kAllow), std::move(memory)};
        if constexpr (kIsSanitized) {
            policy.rules.push_back(rule(kSanitizer, kAllow));
        }
    }
    return compile_seccomp(policy);
}

}  // namespace knarr::sys
