#include "platform/network_maker.h"

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

ino_t inode(const char* path) {
    struct stat found{};
    return stat(path, &found) == 0 ? found.st_ino : 0;
}

TEST(NetworkMaker, MakesAnotherNamespaceAndLeavesOursAlone) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "a network namespace needs root";
    }
    const ino_t ours = inode("/proc/self/ns/net");
    NetworkMaker maker;
    const Fd made = maker.finish();
    ASSERT_TRUE(made.valid());
    struct stat found{};
    ASSERT_EQ(fstat(made.get(), &found), 0);
    EXPECT_NE(found.st_ino, ours);
    EXPECT_EQ(inode("/proc/self/ns/net"), ours);
    EXPECT_FALSE(maker.finish().valid());
}

TEST(NetworkMaker, LeavesNeitherProcessNorDescriptorWhenNobodyAsks) {
    const int before = dup(0);
    close(before);
    {
        const NetworkMaker maker;
    }
    const int after = dup(0);
    close(after);
    EXPECT_EQ(before, after);
    EXPECT_EQ(waitpid(-1, nullptr, __WALL | WNOHANG), -1);
}

}  // namespace
}  // namespace knarr::sys
