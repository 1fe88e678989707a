#include "platform/cgroup_files.h"

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

TEST(UndoText, IsTheWholeOldTextOfAPlainFile) {
    EXPECT_EQ(undo_text("memory.max", "5", "max\n"), "max");
    EXPECT_EQ(undo_text("cpu.max", "5 100", "max 100000\n"), "max 100000");
}

TEST(UndoText, IsTheDefaultOfAFileWithOverrides) {
    EXPECT_EQ(undo_text("io.weight", "5", "default 100\n8:0 50\n"), "default 100");
    EXPECT_EQ(undo_text("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\n"), "0");
}

TEST(UndoText, IsTheOldLineOfThatDevice) {
    const std::string_view before = "8:16 rbps=1 wbps=max riops=max wiops=max\n8:1 rbps=7\n";
    EXPECT_EQ(undo_text("io.max", "8:1 rbps=9", before), "8:1 rbps=7");
    EXPECT_EQ(undo_text("io.max", "8:2 rbps=9", before),
              "8:2 rbps=max wbps=max riops=max wiops=max");
    EXPECT_EQ(undo_text("io.weight", "8:2 9", "default 100\n"), "8:2 default");
    EXPECT_EQ(undo_text("blkio.throttle.read_bps_device", "8:2 9", ""), "8:2 0");
    EXPECT_EQ(undo_text("rdma.max", "mlx hca_handle=1", "mlx hca_handle=max\n"),
              "mlx hca_handle=max");
}

TEST(UndoText, SaysSoWhereThereIsNone) {
    EXPECT_EQ(undo_text("net_prio.ifpriomap", "eth0 5", "lo 0\n"), std::nullopt);
    EXPECT_EQ(undo_text("memory.reclaim", "5", ""), std::nullopt);
    EXPECT_EQ(undo_text("cpuset.cpus", "0", "\n"), "\n");
}

}  // namespace
}  // namespace knarr::sys
