#include "platform/path_owner.h"

#include <sys/xattr.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"

namespace knarr::sys {
namespace {

class PathOwner : public ::testing::Test {
protected:
    PathOwner() {
        char path[] = "/tmp/knarr-links-XXXXXX";
        path_ = mkdtemp(path);
    }
    ~PathOwner() override {
        for (const char* name : {"/link", "/loop", "/real/inner", "/real", ""}) {
            static_cast<void>(remove((path_ + name).c_str()));
        }
    }
    std::string path_;
};

TEST_F(PathOwner, OnlyLinksOfOthersAreFound) {
    ASSERT_TRUE(make_dirs(path_ + "/real/inner", 0700));
    ASSERT_EQ(symlink("real", (path_ + "/link").c_str()), 0);
    EXPECT_FALSE(hands_of_others(path_ + "/link/inner")->others.has_value());
    EXPECT_FALSE(hands_of_others(path_ + "/link/not-there/x")->others.has_value());
    EXPECT_TRUE(hands_of_others(path_ + "/link/inner")->is_there);
    EXPECT_TRUE(hands_of_others("/")->is_there);
    EXPECT_FALSE(hands_of_others(path_ + "/link/not-there/x")->is_there);
    EXPECT_FALSE(hands_of_others(path_ + "/link/not-there")->is_there);
    if (effective_uid() != 0) {
        GTEST_SKIP() << "only root can give a link away";
    }
    ASSERT_EQ(lchown((path_ + "/link").c_str(), 4321, 4321), 0);
    for (const std::string& path :
         {path_ + "/link", path_ + "//./link/inner", path_ + "/real/../link"}) {
        const auto found = hands_of_others(path);
        ASSERT_TRUE(found && found->others) << path;
        EXPECT_EQ(found->others->owner, 4321U);
        EXPECT_EQ(found->others->path, path_ + "/link");
    }
    EXPECT_FALSE(hands_of_others(path_ + "/real/inner")->others.has_value());
}

TEST_F(PathOwner, WhoMayWriteByAnAccessControlListIsFound) {
    const std::string place = path_ + "/real", inner = place + "/inner";
    ASSERT_TRUE(make_dirs(inner, 0700));
    // The owner rwx; a user or group of that number; the owning group and others r-x; the mask.
    const auto found_with = [&](char tag, char id, char bits, char mask) {
        const bool is_user = tag == 2;
        const std::string named{tag, 0, bits, 0, id, 0x10, 0, 0};
        const std::string group{4, 0, 5, 0, -1, -1, -1, -1};
        const std::string list = std::string{2, 0, 0, 0} + std::string{1, 0, 7, 0, -1, -1, -1, -1} +
                                 (is_user ? named + group : group + named) +
                                 std::string{16, 0, mask, 0, -1, -1, -1, -1} +
                                 std::string{32, 0, 5, 0, -1, -1, -1, -1};
        if (setxattr(place.c_str(), "system.posix_acl_access", list.data(), list.size(), 0) != 0) {
            return std::optional<bool>();
        }
        return std::optional(hands_of_others(inner)->others.has_value());
    };
    if (!found_with(2, 1, 7, 7)) {
        GTEST_SKIP() << "the file system of /tmp keeps no access control lists";
    }
    EXPECT_EQ(found_with(2, 1, 7, 7), true);
    EXPECT_EQ(found_with(8, 1, 7, 7), true);
    EXPECT_EQ(found_with(2, 1, 5, 7), false) << "reads only";
    EXPECT_EQ(found_with(2, 1, 7, 5), false) << "the mask takes it";
}

TEST_F(PathOwner, DirectoriesOfOthersAndThoseThatOthersMayWriteAreFound) {
    using Why = HandsOfOthers::Why;
    const std::string place = path_ + "/real", inner = place + "/inner";
    ASSERT_TRUE(make_dirs(inner, 0700));
    const auto why = [&](mode_t mode) {
        EXPECT_EQ(chmod(place.c_str(), mode), 0);
        const auto found = hands_of_others(inner);
        return found && found->others ? std::optional(found->others->why) : std::nullopt;
    };
    EXPECT_EQ(why(0755), std::nullopt);
    EXPECT_EQ(why(0775), std::nullopt) << "a group of ours";
    EXPECT_EQ(why(0777), Why::writable);
    EXPECT_EQ(why(01777), std::nullopt) << "as /tmp";
    EXPECT_EQ(chmod(inner.c_str(), 0777), 0);
    EXPECT_EQ(why(0755), std::nullopt) << "what is at the end is looked at by who opens it";
    if (effective_uid() != 0) {
        GTEST_SKIP() << "only root can give a directory away";
    }
    ASSERT_EQ(chown(place.c_str(), 0, 4321), 0);
    EXPECT_EQ(why(0775), Why::writable);
    EXPECT_EQ(why(01775), std::nullopt);
    ASSERT_EQ(chown(place.c_str(), 4321, 0), 0);
    EXPECT_EQ(why(01700), Why::owner) << "the sticky bit does not keep the owner from renaming";
    ASSERT_EQ(chown(place.c_str(), 65534, 0), 0);
    EXPECT_EQ(why(0755), Why::owner) << "nobody is somebody in the initial namespace";
    ASSERT_EQ(chown(place.c_str(), 0, 0), 0);
}

TEST_F(PathOwner, LinksInACircleAreAnError) {
    ASSERT_EQ(symlink("loop", (path_ + "/loop").c_str()), 0);
    const auto found = hands_of_others(path_ + "/loop");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().sys_errno, ELOOP);
}

}  // namespace
}  // namespace knarr::sys
