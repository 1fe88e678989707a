#include "platform/capability.h"

#include <csignal>
#include <functional>

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace knarr::sys {

namespace {

int run_in_child(const std::function<int()>& body) {
    const auto child =
        static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) {
        _exit(body());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(Capability, NamesAndNumbersBelongTogether) {
    EXPECT_EQ(parse_capability("CAP_CHOWN"), CAP_CHOWN);
    EXPECT_EQ(parse_capability("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
    EXPECT_EQ(parse_capability("cap_net_raw"), CAP_NET_RAW);
    EXPECT_EQ(parse_capability("SETFCAP"), CAP_SETFCAP);
    EXPECT_EQ(parse_capability("CAP_CHECKPOINT_RESTORE"), CAP_CHECKPOINT_RESTORE);
    for (unsigned i = 0; i < kKnownCapabilities; ++i) {
        EXPECT_EQ(parse_capability(capability_name(i)), i);
    }
}

TEST(Capability, AnUnknownNameIsNotTakenForAnother) {
    for (const char* name : {"", "CAP_", "CAP_FLY", "CAP_CHOWN ", "CAP_SYS", "CAP_CAP_CHOWN"}) {
        EXPECT_FALSE(parse_capability(name)) << name;
    }
    EXPECT_EQ(capability_name(kKnownCapabilities), "");
}

TEST(Capability, ALauncherCanLeaveAUserWithOneCapabilityOnly) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "needs root";
    }
    constexpr CapSet kOne = cap_bit(CAP_NET_RAW);
    const int status = run_in_child([] {
        if (!drop_bounding(kOne) || !set_keep_caps(true) ||
            syscall(SYS_setresuid, 1000, 1000, 1000) != 0 || !set_keep_caps(false) ||
            !set_thread_caps(kOne, kOne, kOne) || !set_ambient(kOne)) {
            return 1;
        }
        CapSet bounding = 0, ambient = 0;
        for (unsigned i = 0; i < 64; ++i) {
            bounding |= prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1 ? cap_bit(i) : 0;
            ambient |= prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, i, 0, 0) == 1 ? cap_bit(i) : 0;
        }
        const auto sets = thread_caps();
        return sets && bounding == kOne && sets->effective == kOne && sets->permitted == kOne &&
                       sets->inheritable == kOne && ambient == kOne
                   ? 0
                   : 2;
    });
    EXPECT_EQ(status, 0);
}

TEST(Capability, WhatIsNotPermittedCannotBeSet) {
    const int status = run_in_child([] {
        if (!set_thread_caps(0, 0, 0)) {
            return 1;
        }
        const auto again = set_thread_caps(cap_bit(CAP_CHOWN), cap_bit(CAP_CHOWN), 0);
        return !again && again.error().code == Errc::denied ? 0 : 2;
    });
    EXPECT_EQ(status, 0);
}

}  // namespace

}  // namespace knarr::sys
