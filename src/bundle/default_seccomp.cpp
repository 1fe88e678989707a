#include "bundle/default_seccomp.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include <sched.h>
#include <sys/socket.h>

#include "core/words.h"

namespace knarr::bundle {

namespace {

constexpr std::uint32_t kEperm = 1, kEnosys = 38;
constexpr std::uint64_t kLow32 = 0xffffffff;  // int arguments: the kernel ignores the upper half

// By what they are for. One call may have several names for its time64 and 32-bit forms.
constexpr std::string_view kFiles =
    "_llseek access cachestat chdir chmod chown chown32 close close_range copy_file_range creat "
    "dup "
    "dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat "
    "fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock "
    "fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 "
    "futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1 "
    "inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr llistxattr "
    "lremovexattr lseek lsetxattr lstat lstat64 memfd_create mkdir mkdirat mknod mknodat "
    "name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 "
    "pwritev pwritev2 read readahead readdir readlink readlinkat readv removexattr rename renameat "
    "renameat2 rmdir sendfile sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink "
    "symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime "
    "utimensat utimensat_time64 utimes vmsplice write writev fanotify_mark chroot";
constexpr std::string_view kWaiting =
    "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
    "epoll_wait epoll_wait_old eventfd eventfd2 futex futex_requeue futex_time64 futex_wait "
    "futex_waitv futex_wake io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
    "io_setup io_submit membarrier poll ppoll ppoll_time64 pselect6 pselect6_time64 "
    "restart_syscall "
    "select signalfd signalfd4";
constexpr std::string_view kMemory =
    "brk get_mempolicy madvise map_shadow_stack mbind memfd_secret mincore mlock mlock2 mlockall "
    "mmap mmap2 mprotect mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect "
    "process_mrelease process_vm_readv process_vm_writev remap_file_pages set_mempolicy "
    "set_mempolicy_home_node";
constexpr std::string_view kProcesses =
    "alarm arch_prctl capget capset execve execveat exit exit_group fork get_robust_list "
    "get_thread_area getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
    "getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid "
    "getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self modify_ldt nice pause "
    "pidfd_getfd pidfd_open pidfd_send_signal prctl prlimit64 ptrace rseq rt_sigaction "
    "rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address "
    "setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setpgid "
    "setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
    "setreuid32 setrlimit setsid setuid setuid32 sigaction sigaltstack signal sigpending "
    "sigprocmask sigreturn sigsuspend sysinfo tgkill times tkill ugetrlimit uname vfork wait4 "
    "waitid waitpid";
constexpr std::string_view kTime =
    "adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep "
    "setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64";
constexpr std::string_view kNetworkAndIpc =
    "accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr "
    "mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 "
    "mq_unlink msgctl msgget msgrcv msgsnd recv recvfrom recvmmsg recvmmsg_time64 recvmsg semctl "
    "semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat "
    "shmctl "
    "shmdt shmget shutdown socketcall socketpair getrandom";
constexpr std::string_view kArm =
    "arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2";

// Known, and refused.
constexpr std::string_view kRefused =
    "_sysctl acct add_key afs_syscall bdflush bpf clock_settime clock_settime64 create_module "
    "delete_module fanotify_init finit_module fsconfig fsmount fsopen fspick get_kernel_syms "
    "getpmsg init_module io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp "
    "kexec_file_load kexec_load keyctl lookup_dcookie migrate_pages mount mount_setattr move_mount "
    "move_pages nfsservctl oldfstat oldlstat oldolduname oldstat olduname open_by_handle_at "
    "open_tree perf_event_open pivot_root process_madvise putpmsg query_module quotactl "
    "quotactl_fd reboot request_key setdomainname sethostname setns settimeofday sgetmask ssetmask "
    "stime swapoff swapon sysfs syslog umount umount2 unshare uselib userfaultfd ustat vhangup "
    "vm86 vm86old vserver";

// Of those, what a capability is for. Source: capabilities(7).
struct CallsOf {
    std::string_view capability, calls;
};
constexpr std::array kCallsOf{
    CallsOf{"CAP_SYS_ADMIN",
            "bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr "
            "move_mount open_tree perf_event_open pivot_root quotactl quotactl_fd setdomainname "
            "sethostname setns swapoff swapon syslog umount umount2 unshare"},
    CallsOf{"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    CallsOf{"CAP_BPF", "bpf"},
    CallsOf{"CAP_PERFMON", "perf_event_open"},
    CallsOf{"CAP_SYSLOG", "syslog"},
    CallsOf{"CAP_SYS_BOOT", "kexec_file_load kexec_load reboot"},
    CallsOf{"CAP_SYS_MODULE", "delete_module finit_module init_module"},
    CallsOf{"CAP_SYS_NICE", "migrate_pages move_pages process_madvise"},
    CallsOf{"CAP_SYS_PACCT", "acct"},
    CallsOf{"CAP_SYS_PTRACE", "kcmp process_madvise"},
    CallsOf{"CAP_SYS_RAWIO", "ioperm iopl"},
    CallsOf{"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    CallsOf{"CAP_SYS_TTY_CONFIG", "vhangup"},
};

spec::SeccompRule make_rule(std::vector<std::string> names,
                            std::optional<std::uint32_t> error,
                            std::vector<spec::SeccompArg> args = {}) {
    return {.names = std::move(names),
            .action = error ? "SCMP_ACT_ERRNO" : "SCMP_ACT_ALLOW",
            .errno_ret = error,
            .args = std::move(args)};
}

std::vector<std::string> names_in(std::initializer_list<std::string_view> lists) {
    std::vector<std::string> out;
    for (const std::string_view list : lists) {
        for (const std::string_view word : words(list)) {
            out.emplace_back(word);
        }
    }
    return out;
}

// The first argument under `mask` is `value`.
std::vector<spec::SeccompArg> masked(std::uint64_t mask, std::uint64_t value) {
    return {{.index = 0, .value = mask, .value_two = value, .op = "SCMP_CMP_MASKED_EQ"}};
}

void add_sockets(std::vector<spec::SeccompRule>& rules) {
    // Address families 0 to 47 but 38 and 40, as blocks of a power of two: a comparison with "not
    // 38" would look at 64 bits and let 0x100000026 through, which the kernel takes for 38.
    struct Block {
        std::uint64_t first, count;
    };
    static_assert(AF_ALG == 38 && AF_VSOCK == 40);
    for (const Block block : {Block{0, 32},
                              Block{32, 4},
                              Block{36, 2},
                              Block{39, 1},
                              Block{41, 1},
                              Block{42, 2},
                              Block{44, 4}}) {
        rules.push_back(
            make_rule({"socket"}, std::nullopt, masked(kLow32 & ~(block.count - 1), block.first)));
    }
    rules.push_back(make_rule({"socket"}, kEperm, masked(kLow32, AF_ALG)));
    rules.push_back(make_rule({"socket"}, kEperm, masked(kLow32, AF_VSOCK)));
}

void add_clone(std::vector<spec::SeccompRule>& rules) {
    constexpr std::uint64_t kNamespaces[] = {
        CLONE_NEWNS,
        CLONE_NEWCGROUP,
        CLONE_NEWUTS,
        CLONE_NEWIPC,
        CLONE_NEWUSER,
        CLONE_NEWPID,
        CLONE_NEWNET,
    };
    std::uint64_t all = 0;
    for (const std::uint64_t flag : kNamespaces) {
        all |= flag;
    }
    rules.push_back(make_rule({"clone"}, std::nullopt, masked(all, 0)));
    for (const std::uint64_t flag : kNamespaces) {
        rules.push_back(make_rule({"clone"}, kEperm, masked(flag, flag)));
    }
    rules.push_back(make_rule({"clone3"}, kEnosys));
}

void add_personality(std::vector<spec::SeccompRule>& rules) {
    // PER_LINUX, PER_LINUX32, both with UNAME26, and the question; none that weakens memory.
    for (const std::uint64_t value : {0x0ULL, 0x8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL}) {
        rules.push_back(
            make_rule({"personality"},
                      std::nullopt,
                      {{.index = 0, .value = value, .value_two = 0, .op = "SCMP_CMP_EQ"}}));
    }
}

}  // namespace

spec::Seccomp default_seccomp(const std::vector<std::string>& capabilities) {
    const auto has = [&](std::string_view one) {
        return std::ranges::find(capabilities, one) != capabilities.end();
    };
    std::set<std::string> refused;
    for (std::string& call : names_in({kRefused})) {
        refused.insert(std::move(call));
    }
    std::vector<std::string> granted;
    for (const CallsOf& of : kCallsOf) {
        for (std::string& call : has(of.capability) ? names_in({of.calls}) : names_in({})) {
            if (refused.erase(call) > 0) {
                granted.push_back(std::move(call));
            }
        }
    }
    spec::Seccomp seccomp;
    seccomp.default_action = "SCMP_ACT_ERRNO";
    seccomp.default_errno_ret = kEnosys;
#if defined(__x86_64__)
    seccomp.architectures = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"};
#elif defined(__aarch64__)
    seccomp.architectures = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#else
#error "name this machine's seccomp architectures here"
#endif
    seccomp.syscalls.push_back(
        make_rule(names_in({kFiles, kWaiting, kMemory, kProcesses, kTime, kNetworkAndIpc, kArm}),
                  std::nullopt));
    seccomp.syscalls.push_back(make_rule({refused.begin(), refused.end()}, kEperm));
    add_sockets(seccomp.syscalls);
    if (has("CAP_SYS_ADMIN")) {
        granted.insert(granted.end(), {"clone", "clone3"});
    } else {
        add_clone(seccomp.syscalls);
    }
    if (!granted.empty()) {
        seccomp.syscalls.push_back(make_rule(std::move(granted), std::nullopt));
    }
    add_personality(seccomp.syscalls);
    return seccomp;
}

}  // namespace knarr::bundle
