#include "core/fault.h"

#include <csignal>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include <gtest/gtest.h>

namespace knarr {
namespace {

#ifdef KNARR_FAULTS

class FaultPoint : public testing::Test {
protected:
    static void ask_for(const char* fault) { ASSERT_EQ(setenv("KNARR_FAULT", fault, 1), 0); }
    void TearDown() override { unsetenv("KNARR_FAULT"); }
};

TEST_F(FaultPoint, PassesWhenNothingIsAsked) {
    EXPECT_TRUE(fault_point("create.cgroup"));
}

TEST_F(FaultPoint, FailsAtTheAskedPointOnly) {
    ask_for("create.cgroup");
    EXPECT_TRUE(fault_point("create.rootfs"));
    EXPECT_TRUE(fault_point("create.cgroup2"));
    const auto failed = fault_point("create.cgroup");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "fault injected at create.cgroup");
}

TEST_F(FaultPoint, KillsTheProcessWhenAskedTo) {
    ask_for("create.cgroup=kill");
    EXPECT_TRUE(fault_point("create.rootfs"));
    EXPECT_EXIT(
        std::exit(fault_point("create.cgroup") ? 0 : 1), testing::KilledBySignal(SIGKILL), "");
}

TEST_F(FaultPoint, NotesWhatIsMet) {
    char path[] = "/tmp/knarr-fault-XXXXXX";
    const int fd = mkstemp(path);
    ask_for((std::string("note:") + path).c_str());
    EXPECT_TRUE(fault_point("create.cgroup"));
    EXPECT_TRUE(fault_point("create.rootfs"));
    char text[64] = {};
    EXPECT_EQ(read(fd, text, sizeof text - 1), 28);
    EXPECT_STREQ(text, "create.cgroup\ncreate.rootfs\n");
    close(fd);
    unlink(path);
}

#else

TEST(FaultPoint, IsNotInReleaseBuilds) {
    ASSERT_EQ(setenv("KNARR_FAULT", "create.cgroup", 1), 0);
    EXPECT_TRUE(fault_point("create.cgroup"));
    unsetenv("KNARR_FAULT");
}

#endif

}  // namespace
}  // namespace knarr
