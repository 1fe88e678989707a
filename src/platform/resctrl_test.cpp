// A directory stands for the file system: no machine of the tests has such a CPU.
#include "platform/resctrl.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fcntl.h>

#include <gtest/gtest.h>

#include "platform/file.h"

namespace knarr::sys {

namespace {

namespace fs = std::filesystem;

class Resctrl : public ::testing::Test {
protected:
    void SetUp() override {
        char name[] = "/tmp/knarr-resctrl-XXXXXX";
        root_ = mkdtemp(name);
        fd_ = *open_path(root_, O_RDONLY | O_DIRECTORY);
    }
    void TearDown() override {
        const auto tmp = open_path("/tmp", O_RDONLY | O_DIRECTORY);
        EXPECT_TRUE(tmp && remove_tree_at(*tmp, root_.filename()));
    }

    void make_class(const std::string& name, const std::string& schemata) {
        fs::create_directories(root_ / name / "mon_groups");
        std::ofstream(root_ / name / "schemata") << schemata;
    }
    std::string text(const std::string& path) {
        std::ifstream file(root_ / path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    fs::path root_;
    Fd fd_;  // in place of the mounted file system
};

TEST_F(Resctrl, AClassOfTheContainersIsMadeFilledJoinedAndRemoved) {
    const ResctrlGroup group{.name = "c1", .make = true, .owned = true, .schemata = {"L3:0=f"}};
    ASSERT_TRUE(make_resctrl(fd_, group));
    EXPECT_EQ(text("c1/schemata"), "L3:0=f\n");
    ASSERT_TRUE(join_resctrl(fd_, group, 42));
    EXPECT_EQ(text("c1/tasks"), "42");
    // The kernel's files go with the directory; a test's have to be removed by hand.
    fs::remove(root_ / "c1/schemata");
    fs::remove(root_ / "c1/tasks");
    ASSERT_TRUE(remove_resctrl(fd_, group));
    EXPECT_FALSE(fs::exists(root_ / "c1"));
    EXPECT_TRUE(remove_resctrl(fd_, group)) << "twice is no error";
}

TEST_F(Resctrl, AnExistingClassMustHaveTheSchemataAskedFor) {
    make_class("gold", "    MB:0=100;1=100\n    L3:0=00f;1=fff\n");
    ResctrlGroup group{.name = "gold", .expected = {"L3:0=f", "MB:1=100"}};
    EXPECT_TRUE(make_resctrl(fd_, group));
    group.expected = {"L3:0=ff"};
    const Result<> made = make_resctrl(fd_, group);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid_config);
    EXPECT_NE(made.error().message.find("L3:0=ff"), std::string::npos);
    EXPECT_TRUE(fs::exists(root_ / "gold")) << "it is somebody else's";
}

TEST_F(Resctrl, AMonitoringGroupIsMadeJoinedAndRemovedAlone) {
    make_class("gold", "L3:0=f\n");
    const ResctrlGroup group{.name = "gold", .monitor = "c1"};
    ASSERT_TRUE(make_resctrl(fd_, group));
    ASSERT_TRUE(join_resctrl(fd_, group, 7));
    EXPECT_EQ(text("gold/tasks"), "7");
    EXPECT_EQ(text("gold/mon_groups/c1/tasks"), "7");
    fs::remove(root_ / "gold/mon_groups/c1/tasks");
    ASSERT_TRUE(remove_resctrl(fd_, group));
    EXPECT_FALSE(fs::exists(root_ / "gold/mon_groups/c1"));
    EXPECT_TRUE(fs::exists(root_ / "gold"));
}

TEST_F(Resctrl, AFailureLeavesNoClassBehind) {
    // No mon_groups in what mkdir makes here: the monitoring group cannot be made.
    const ResctrlGroup group{.name = "c1", .make = true, .monitor = "c1"};
    EXPECT_FALSE(make_resctrl(fd_, group));
    EXPECT_FALSE(fs::exists(root_ / "c1"));
}

TEST_F(Resctrl, ClassesAreTheDirectoriesThatAreNotTheKernels) {
    make_class("gold", "");
    fs::create_directories(root_ / "info/L3_MON");
    fs::create_directories(root_ / "mon_data");
    const auto facts =
        find_resctrl("24 1 0:22 / " + root_.string() + " rw,relatime - resctrl resctrl rw\n");
    ASSERT_TRUE(facts);
    EXPECT_EQ(facts->classes, std::vector<std::string>{"gold"});
    EXPECT_TRUE(facts->monitors);
    EXPECT_FALSE(find_resctrl("24 1 0:22 / /mnt rw - tmpfs resctrl rw\n"));
}

}  // namespace

}  // namespace knarr::sys
