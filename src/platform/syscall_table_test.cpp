#include "platform/syscall_table.h"

#include <set>
#include <string>

#include <seccomp.h>
#include <sys/syscall.h>

#include <gtest/gtest.h>

#include "platform/testdata/seccomp_oracle_test.h"

namespace knarr::sys {

namespace {

TEST(SyscallTable, FindsEveryNameThatItHolds) {
    ASSERT_GT(syscall_count(), 480U);
    for (std::uint16_t i = 0; i < syscall_count(); ++i) {
        EXPECT_EQ(find_syscall(name_of(Syscall{i})), Syscall{i}) << name_of(Syscall{i});
    }
}

TEST(SyscallTable, DoesNotFindWhatIsNoSystemCall) {
    for (const char* name : {"", "a", "no_such_call", "zzz", "read ", "READ"}) {
        EXPECT_FALSE(find_syscall(name)) << name;
    }
}

TEST(SyscallTable, AgreesWithThisKernelsHeaders) {
    EXPECT_EQ(number_of(*find_syscall("openat"), native_seccomp_arch()), SYS_openat);
    EXPECT_EQ(number_of(*find_syscall("clone3"), native_seccomp_arch()), SYS_clone3);
}

// libseccomp reports calls that are multiplexed on x86 as socketcall or ipc, not by their direct
// number; those are compared with the numbers that its filters test (seccomp_oracle_test.cpp).
TEST(SyscallTable, HasTheNumbersOfLibseccompOnEveryArchitecture) {
    for (std::uint16_t i = 0; i < syscall_count(); ++i) {
        const std::string name(name_of(Syscall{i}));
        for (std::uint8_t a = 0; a < kSeccompArches; ++a) {
            const auto arch = static_cast<SeccompArch>(a);
            const int theirs =
                seccomp_syscall_resolve_name_rewrite(testing::token_of(arch), name.c_str());
            const bool multiplexed = arch == SeccompArch::x86 && (theirs == 102 || theirs == 117) &&
                                     name != "socketcall" && name != "ipc";
            if (multiplexed) {
                continue;
            }
            auto ours = number_of(Syscall{i}, arch);
            if (ours && arch == SeccompArch::x32) {
                *ours |= 0x40000000U;
            }
            EXPECT_EQ(ours, theirs >= 0 ? std::optional<std::uint32_t>(theirs) : std::nullopt)
                << name << " on architecture " << int{a};
        }
    }
}

TEST(SyscallTable, GivesEachNumberToOneNameOnly) {
    for (std::uint8_t a = 0; a < kSeccompArches; ++a) {
        std::set<std::uint32_t> seen;
        for (std::uint16_t i = 0; i < syscall_count(); ++i) {
            if (const auto number = number_of(Syscall{i}, static_cast<SeccompArch>(a))) {
                EXPECT_TRUE(seen.insert(*number).second) << name_of(Syscall{i});
            }
        }
    }
}

}  // namespace

}  // namespace knarr::sys
