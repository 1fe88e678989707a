#include "platform/node.h"

#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::sys {
namespace {

class Node : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/knarr-node-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        path_ = name;
        dir_ = *open_path(path_, O_RDONLY | O_DIRECTORY);
    }
    void TearDown() override {
        const Fd tmp = *open_path("/tmp", O_RDONLY | O_DIRECTORY);
        EXPECT_TRUE(remove_tree_at(tmp, path_.substr(5)).has_value());
    }
    Result<Fd> find_and_reopen(const std::string& name) const {
        return reopen(*open_at(dir_, name, O_PATH | O_NOFOLLOW), O_RDONLY);
    }

    std::string path_;
    Fd dir_;
};

TEST_F(Node, WhatIsNoFileIsRefusedWithoutBeingOpened) {
    ASSERT_TRUE(make_node_at(dir_, "fifo", S_IFIFO | 0600, 0).has_value());
    const int events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ASSERT_GE(inotify_add_watch(events, (path_ + "/fifo").c_str(), IN_OPEN), 0);
    EXPECT_FALSE(find_and_reopen("fifo").has_value());
    char room[4096];
    EXPECT_EQ(read(events, room, sizeof(room)), -1);
    close(events);
}

TEST_F(Node, FilesAndDirectoriesAreOpenedAgain) {
    ASSERT_TRUE(replace_file(dir_, "file", "text", 0600).has_value());
    char room[5] = {};
    EXPECT_EQ(read(find_and_reopen("file")->get(), room, 4), 4);
    EXPECT_TRUE(list_dir(*find_and_reopen(".")).has_value());
}

TEST_F(Node, AttributesAreNotGivenToAnEntryOfAnotherType) {
    ASSERT_TRUE(replace_file(dir_, "entry", "text", 0600).has_value());
    struct stat like{};
    like.st_mode = S_IFIFO | 06755;
    like.st_uid = geteuid();
    like.st_gid = getegid();
    EXPECT_FALSE(set_attributes_at(dir_, "entry", like).has_value());
    EXPECT_EQ((*stat_at(dir_, "entry"))->st_mode & 07777, 0600U);
}

}  // namespace
}  // namespace knarr::sys
