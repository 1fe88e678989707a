#include "layer/base.h"

#include <algorithm>
#include <filesystem>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "platform/disk.h"
#include "platform/file.h"
#include "platform/testing_directory.h"

namespace knarr::layer {
namespace {

class BaseLayer : public testing::Test {
protected:
    static mode_t mode_of(const std::string& path) {
        struct stat info{};
        EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
        return info.st_mode;
    }
    static std::vector<std::string> names_in(const std::string& path) {
        std::vector<std::string> names =
            *sys::list_dir(*sys::open_path(path, O_RDONLY | O_DIRECTORY));
        std::ranges::sort(names);
        return names;
    }
    void expect_whole() {
        using Names = std::vector<std::string>;
        for (const std::string& place : {files_, containers_}) {
            for (const char* path : {"", "/proc", "/dev", "/sys", "/etc"}) {
                EXPECT_EQ(mode_of(place + path), S_IFDIR | 0755U) << path;
            }
            for (const char* path : {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}) {
                EXPECT_EQ(mode_of(place + path), S_IFREG | 0644U) << path;
            }
        }
        EXPECT_EQ(names_in(files_), (Names{"dev", "etc", "proc", "sys"}));
        EXPECT_EQ(names_in(files_ + "/etc"), (Names{"hostname", "hosts", "resolv.conf"}));
        EXPECT_EQ(mode_of(containers_ + "/.dockerenv"), S_IFREG | 0755U);
        EXPECT_EQ(std::filesystem::read_symlink(containers_ + "/etc/mtab"), "/proc/mounts");
        EXPECT_EQ(names_in(root_), (Names{"base", "ground"}));
    }
    sys::TestDirectory scratch_;
    std::string root_ = scratch_.path();
    std::string files_ = base_path(root_, Base::of_files);
    std::string containers_ = base_path(root_, Base::of_containers);
};

TEST_F(BaseLayer, HasThePlacesWithTheirModesWhateverTheUmask) {
    const mode_t before = umask(0077);
    EXPECT_TRUE(make_base(root_));
    umask(before);
    expect_whole();
    EXPECT_TRUE(make_base(root_)) << "it is there";
    expect_whole();
}

TEST_F(BaseLayer, OneThatWasKilledWhileMakingItIsNoHindrance) {
    ASSERT_EQ(mkdir((root_ + "/base.new").c_str(), 0700), 0);
    ASSERT_EQ(mkdir((root_ + "/base.new/etc").c_str(), 0700), 0);
    ASSERT_EQ(mkdir((root_ + "/ground.new").c_str(), 0700), 0);
    ASSERT_EQ(mkdir((root_ + "/ground.new/etc").c_str(), 0700), 0);
    ASSERT_EQ(symlink("/proc/mounts", (root_ + "/ground.new/etc/mtab").c_str()), 0);
    EXPECT_TRUE(make_base(root_));
    expect_whole();
}

TEST_F(BaseLayer, OneOfAnEarlierBuildStaysAsItIs) {
    ASSERT_EQ(mkdir(files_.c_str(), 0711), 0);
    EXPECT_TRUE(make_base(root_));
    EXPECT_EQ(mode_of(files_), S_IFDIR | 0711U);
    EXPECT_EQ(mode_of(containers_ + "/.dockerenv"), S_IFREG | 0755U);
}

TEST_F(BaseLayer, IsMadeByManyAtOnce) {
    std::vector<std::thread> makers;
    makers.reserve(8);
    for (int i = 0; i < 8; ++i) {
        makers.emplace_back([this] { EXPECT_TRUE(make_base(root_)); });
    }
    for (std::thread& maker : makers) {
        maker.join();
    }
    expect_whole();
}

TEST_F(BaseLayer, SomethingElseInItsPlaceIsNamed) {
    ASSERT_TRUE(sys::open_path(root_ + "/base.new", O_WRONLY | O_CREAT, 0600).has_value());
    const Result<> made = make_base(root_);
    ASSERT_FALSE(made.has_value());
    EXPECT_NE(made.error().message.find("base.new"), std::string::npos) << made.error().message;
}

}  // namespace
}  // namespace knarr::layer
