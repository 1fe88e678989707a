#include "platform/mountinfo.h"

#include <gtest/gtest.h>

namespace knarr::sys {
namespace {

TEST(MountLine, IsReadWithAndWithoutTags) {
    const auto tagged = parse_mount_line(
        "30 22 0:28 /a /cg rw,relatime shared:9 master:1 - cgroup2 none rw,nsdelegate");
    ASSERT_TRUE(tagged.has_value());
    EXPECT_EQ(tagged->root, "/a");
    EXPECT_EQ(tagged->mount_point, "/cg");
    EXPECT_EQ(tagged->fstype, "cgroup2");
    EXPECT_EQ(tagged->super_options, "rw,nsdelegate");
    EXPECT_EQ(parse_mount_line("22 1 8:1 / / rw - ext4 /dev/sda rw")->mount_point, "/");
}

TEST(MountLine, QuotedBlanksAndBackslashesAreUndone) {
    const auto mount = parse_mount_line(R"(30 22 0:28 / /my\040disk/a\134b\011c rw - ext4 x rw)");
    ASSERT_TRUE(mount.has_value());
    EXPECT_EQ(mount->mount_point, "/my disk/a\\b\tc");
}

TEST(MountLine, AnythingElseIsNone) {
    for (const char* line : {"", "22 1 8:1 / / rw", "22 1 - ext4 x rw", "1 2 3 4 5 6 - ext4 x"}) {
        EXPECT_FALSE(parse_mount_line(line).has_value()) << line;
    }
}

TEST(IsBelow, ComparesWholeComponents) {
    EXPECT_TRUE(is_below("/a/b", "/a"));
    EXPECT_TRUE(is_below("/a", "/a"));
    EXPECT_TRUE(is_below("/a", "/"));
    EXPECT_FALSE(is_below("/ab", "/a"));
    EXPECT_FALSE(is_below("/", "/a"));
}

}  // namespace
}  // namespace knarr::sys
