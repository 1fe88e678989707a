#include "platform/link_owner.h"

#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"

namespace knarr::sys {
namespace {

class LinkOwner : public ::testing::Test {
protected:
    LinkOwner() {
        char path[] = "/tmp/knarr-links-XXXXXX";
        path_ = mkdtemp(path);
    }
    ~LinkOwner() override {
        for (const char* name : {"/link", "/loop", "/real/inner", "/real", ""}) {
            static_cast<void>(remove((path_ + name).c_str()));
        }
    }
    std::string path_;
};

TEST_F(LinkOwner, OnlyLinksOfOthersAreFound) {
    ASSERT_TRUE(make_dirs(path_ + "/real/inner", 0700));
    ASSERT_EQ(symlink("real", (path_ + "/link").c_str()), 0);
    EXPECT_FALSE(link_of_another(path_ + "/link/inner")->has_value());
    EXPECT_FALSE(link_of_another(path_ + "/link/not-there/x")->has_value());
    if (effective_uid() != 0) {
        GTEST_SKIP() << "only root can give a link away";
    }
    ASSERT_EQ(lchown((path_ + "/link").c_str(), 4321, 4321), 0);
    for (const std::string& path :
         {path_ + "/link", path_ + "//./link/inner", path_ + "/real/../link"}) {
        const auto found = link_of_another(path);
        ASSERT_TRUE(found && *found) << path;
        EXPECT_EQ((*found)->owner, 4321U);
        EXPECT_EQ((*found)->path, path_ + "/link");
    }
    EXPECT_FALSE(link_of_another(path_ + "/real/inner")->has_value());
}

TEST_F(LinkOwner, LinksInACircleAreAnError) {
    ASSERT_EQ(symlink("loop", (path_ + "/loop").c_str()), 0);
    const auto found = link_of_another(path_ + "/loop");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().sys_errno, ELOOP);
}

}  // namespace
}  // namespace knarr::sys
