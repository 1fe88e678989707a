#include <filesystem>
#include <fstream>

#include <stdlib.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::sys {
namespace {

namespace fs = std::filesystem;

class InRoot : public testing::Test {
protected:
    InRoot() {
        char name[] = "/tmp/knarr-in-root-XXXXXX";
        base_ = mkdtemp(name);
        fs::create_directories(base_ / "root/etc");
        fs::create_directories(base_ / "outside");
        root_ = *open_path((base_ / "root").string(), O_PATH | O_DIRECTORY);
    }
    ~InRoot() override {
        const Fd parent = *open_path(base_.parent_path().string(), O_PATH | O_DIRECTORY);
        EXPECT_TRUE(remove_tree_at(parent, base_.filename().string()));
    }

    void link(const std::string& path, const std::string& target) {
        fs::create_symlink(target, base_ / "root" / path);
    }
    bool outside_is_empty() { return fs::is_empty(base_ / "outside"); }

    fs::path base_;
    Fd root_;
};

TEST_F(InRoot, MakesMissingDirectoriesOneBelowTheOther) {
    ASSERT_TRUE(make_dirs_in_root(root_, "/a/b/c", 0755));
    EXPECT_TRUE(fs::is_directory(base_ / "root/a/b/c"));
}

TEST_F(InRoot, TakesAbsoluteLinksAsInsideTheRoot) {
    link("var", (base_ / "outside").string());
    ASSERT_TRUE(make_dirs_in_root(root_, "/var/lib", 0755));
    EXPECT_TRUE(outside_is_empty());
    EXPECT_TRUE(fs::is_directory(base_ / "root" / fs::relative(base_, "/") / "outside/lib"));
}

TEST_F(InRoot, DoesNotClimbAboveTheRoot) {
    link("up", "../../../../../outside");
    ASSERT_TRUE(make_dirs_in_root(root_, "/up/x", 0755));
    EXPECT_TRUE(outside_is_empty());
    EXPECT_TRUE(fs::is_directory(base_ / "root/outside/x"));
}

TEST_F(InRoot, MakesTheFileThatADanglingLinkNames) {
    link("etc/resolv.conf", "../run/resolve/stub.conf");
    ASSERT_TRUE(make_file_in_root(root_, "/etc/resolv.conf", 0644));
    EXPECT_TRUE(fs::is_regular_file(base_ / "root/run/resolve/stub.conf"));
    EXPECT_TRUE(fs::is_symlink(base_ / "root/etc/resolv.conf"));
}

TEST_F(InRoot, EndsALoopOfLinksWithAnError) {
    link("x", "y");
    link("y", "x");
    const auto made = make_dirs_in_root(root_, "/x/z", 0755);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().sys_errno, ELOOP);
}

TEST_F(InRoot, RefusesAFileWhereADirectoryIsNeeded) {
    std::ofstream(base_ / "root/etc/passwd") << "x";
    const auto made = make_dirs_in_root(root_, "/etc/passwd/sub", 0755);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().sys_errno, ENOTDIR);
}

TEST_F(InRoot, LeavesAnExistingFileAsItIs) {
    std::ofstream(base_ / "root/etc/hosts") << "content";
    ASSERT_TRUE(make_file_in_root(root_, "/etc/hosts", 0600));
    EXPECT_EQ(fs::file_size(base_ / "root/etc/hosts"), 7U);
}

}  // namespace
}  // namespace knarr::sys
