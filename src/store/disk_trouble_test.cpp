#include "store/disk_trouble.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace knarr::store {
namespace {

constexpr sys::FreeSpace kNoInodes{.bytes = 3 << 20, .inodes = 0};

TEST(DiskTrouble, AFullDiskIsNamedWithWhatIsFreeAndTheWayOut) {
    const Error error = about_disk(make_errno(ENOSPC, "write blob x"), "/var/lib/knarr", kNoInodes);
    EXPECT_EQ(error.message, "write blob x: No space left on device, in /var/lib/knarr");
    EXPECT_EQ(error.hint,
              "/var/lib/knarr has 3.0 MiB and 0 inodes free: make room (knarr image gc, knarr "
              "image prune), or choose another place with --data-root");
    EXPECT_EQ(error.code, Errc::no_space);
}

TEST(DiskTrouble, AReadOnlyDiskAndABrokenOneAreNotFull) {
    const Error fixed = about_disk(make_errno(EROFS, "data root /d: mkdir"), "/d", std::nullopt);
    EXPECT_EQ(fixed.message, "data root /d: mkdir: Read-only file system");
    EXPECT_NE(fixed.hint.find("mount the file system of /d writable"), std::string::npos);
    const Error broken = about_disk(make_errno(EIO, "read /elsewhere"), "/d", kNoInodes);
    EXPECT_EQ(broken.message, "read /elsewhere: Input/output error");
    EXPECT_NE(broken.hint.find("dmesg"), std::string::npos);
}

TEST(DiskTrouble, OtherErrorsAndThoseThatKnowBetterStayAsTheyAre) {
    const Error other = about_disk(make_errno(ENOENT, "open x"), "/d", kNoInodes);
    EXPECT_EQ(other.message, "open x: No such file or directory");
    EXPECT_EQ(other.hint, "");
    const Error knows =
        about_disk(make_errno(ENOSPC, "clone").advise("raise the limit"), "/d", kNoInodes);
    EXPECT_EQ(knows.message, "clone: No space left on device");
    EXPECT_EQ(knows.hint, "raise the limit");
}

}  // namespace
}  // namespace knarr::store
