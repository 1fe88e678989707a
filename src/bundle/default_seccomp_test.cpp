#include "bundle/default_seccomp.h"

#include <cerrno>
#include <set>

#include <linux/audit.h>
#include <sched.h>
#include <sys/socket.h>

#include <gtest/gtest.h>

#include "bundle/seccomp_policy.h"
#include "platform/testdata/bpf_interpreter.h"

namespace knarr::bundle {

namespace {

class DefaultSeccomp : public ::testing::Test {
protected:
    DefaultSeccomp()
        : conversion_(*seccomp_policy(default_seccomp())),
          program_(*sys::compile_seccomp(conversion_.policy)) {}

    // The filter's answer for a native call: 0 is "allowed", else the errno; -1 for anything else.
    int answer(const char* name, std::uint64_t arg0 = 0) const {
        return answer(name, sys::SeccompArch::x86_64, AUDIT_ARCH_X86_64, arg0);
    }
    int answer(const char* name,
               sys::SeccompArch arch,
               std::uint32_t token,
               std::uint64_t arg0) const {
        const auto number = number_of(*sys::find_syscall(name), arch);
        const auto verdict = sys::testing::run_bpf(program_.code,
                                                   {.nr = static_cast<int>(*number),
                                                    .arch = token,
                                                    .instruction_pointer = 0,
                                                    .args = {arg0, 0, 0, 0, 0, 0}});
        if (verdict == SECCOMP_RET_ALLOW) {
            return 0;
        }
        return verdict && (*verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO
                   ? static_cast<int>(*verdict & SECCOMP_RET_DATA)
                   : -1;
    }

    SeccompConversion conversion_;
    sys::SeccompProgram program_;
};

TEST_F(DefaultSeccomp, NamesOnlyCallsThatExistAndEachOnce) {
    EXPECT_TRUE(conversion_.unknown_syscalls.empty());
    std::set<std::string> seen;
    for (const spec::SeccompRule& rule : default_seccomp().syscalls) {
        for (const std::string& name : rule.names) {
            EXPECT_TRUE(seen.insert(name).second || !rule.args.empty()) << name;
        }
    }
    EXPECT_GT(seen.size(), 400U);
}

TEST_F(DefaultSeccomp, WhatProgramsNeedIsAllowed) {
    for (const char* name : {"read",
                             "write",
                             "openat",
                             "execve",
                             "exit_group",
                             "mmap",
                             "futex",
                             "getrandom",
                             "rseq",
                             "statx",
                             "chroot",
                             "mknod",
                             "ptrace",
                             "bind"}) {
        EXPECT_EQ(answer(name), 0) << name;
    }
}

TEST_F(DefaultSeccomp, WhatReachesTheHostIsRefused) {
    for (const char* name : {"mount",
                             "umount2",
                             "unshare",
                             "setns",
                             "bpf",
                             "keyctl",
                             "add_key",
                             "userfaultfd",
                             "io_uring_setup",
                             "perf_event_open",
                             "kexec_load",
                             "init_module",
                             "open_by_handle_at",
                             "reboot",
                             "swapon",
                             "syslog",
                             "move_mount",
                             "fsopen",
                             "pivot_root",
                             "acct",
                             "settimeofday"}) {
        EXPECT_EQ(answer(name), EPERM) << name;
    }
}

TEST_F(DefaultSeccomp, Clone3IsNotImplementedSoThatCloneIsTaken) {
    EXPECT_EQ(answer("clone3"), ENOSYS);
    EXPECT_EQ(answer("clone", SIGCHLD), 0);
    EXPECT_EQ(answer("clone", CLONE_VM | CLONE_THREAD), 0);
    for (const std::uint64_t flag : {CLONE_NEWNS,
                                     CLONE_NEWCGROUP,
                                     CLONE_NEWUTS,
                                     CLONE_NEWIPC,
                                     CLONE_NEWUSER,
                                     CLONE_NEWPID,
                                     CLONE_NEWNET}) {
        EXPECT_EQ(answer("clone", flag | SIGCHLD), EPERM) << flag;
    }
}

TEST_F(DefaultSeccomp, EverySocketFamilyButCryptoAndVmSocketsIsAllowed) {
    for (std::uint64_t family = 0; family < 48; ++family) {
        const int expected = family == AF_ALG || family == AF_VSOCK ? EPERM : 0;
        EXPECT_EQ(answer("socket", family), expected) << family;
    }
}

TEST_F(DefaultSeccomp, UpperHalfOfTheFamilyIsNoWayRound) {
    constexpr std::uint64_t kUpper = 1ULL << 32;
    EXPECT_EQ(answer("socket", kUpper | AF_ALG), EPERM);
    EXPECT_EQ(answer("socket", kUpper | AF_VSOCK), EPERM);
    EXPECT_EQ(answer("clone", kUpper | CLONE_NEWUSER), EPERM);
}

TEST_F(DefaultSeccomp, SocketcallOf32BitProgramsStaysAllowed) {
    EXPECT_EQ(answer("socketcall", sys::SeccompArch::x86, AUDIT_ARCH_I386, 1), 0);
    EXPECT_EQ(answer("socket", sys::SeccompArch::x86, AUDIT_ARCH_I386, AF_ALG), EPERM);
    EXPECT_EQ(answer("socket", sys::SeccompArch::x86, AUDIT_ARCH_I386, AF_INET), 0);
}

TEST_F(DefaultSeccomp, PersonalitiesThatWeakenMemoryAreRefused) {
    EXPECT_EQ(answer("personality", 0xffffffff), 0);
    EXPECT_EQ(answer("personality", 8), 0);
    EXPECT_EQ(answer("personality", 0x0040000), ENOSYS);  // ADDR_NO_RANDOMIZE
}

TEST_F(DefaultSeccomp, WhatTheListHasNeverHeardOfIsNotImplemented) {
    const auto verdict = sys::testing::run_bpf(
        program_.code,
        {.nr = 999, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = 0, .args = {}});
    EXPECT_EQ(verdict, SECCOMP_RET_ERRNO | ENOSYS);
}

}  // namespace

}  // namespace knarr::bundle
